// Vector types, weight formats and the row-blocked matrix product of the decode step.
//
// Weights lie in blocks of 16 output rows, lane = row, so that one linear stream of memory feeds each thread and no
// sum over lanes is ever needed. A token gets the same bits whether it comes alone or with others: sums of floats have
// an order that depends on the columns alone, and sums of integers are exact. GCC's vector extensions, so any g++ or
// clang++ and any CPU will do.
//
// Where the processor multiplies pairs of 16-bit integers (VNNI), int8 and int4 weights meet activations rounded to
// 16 bits, one scale for `SPAN` columns (2^-16 of the largest of them: finer than bf16). Elsewhere activations stay fp32.
#pragma once
#include <cstddef>
#include <cstdint>
#include <cstring>
#ifdef __AVX512F__
#include <immintrin.h>
#endif

constexpr int LANES = 16;
constexpr int SPAN = 256;  // columns that share a scale: 127 * 32767 * SPAN is half of what an int32 holds
#ifdef __AVX512VNNI__
constexpr bool INTEGERS = true;
#else
constexpr bool INTEGERS = false;
#endif
#ifndef PREFETCH
#define PREFETCH 4096  // bytes ahead
#endif
typedef float vf __attribute__((vector_size(64)));
typedef int32_t vi __attribute__((vector_size(64)));
typedef float vf_any __attribute__((vector_size(64), aligned(4), may_alias));
typedef int32_t vi_any __attribute__((vector_size(64), aligned(4), may_alias));
typedef uint16_t v16_any __attribute__((vector_size(32), aligned(2), may_alias));
typedef int16_t v16s_any __attribute__((vector_size(32), aligned(1), may_alias));
typedef uint32_t vu __attribute__((vector_size(64)));

enum Kind { F32 = 0, BF16 = 1, INT8 = 2, INT4 = 3 };

struct Matrix {
    const void *data;    // [blocks, columns, 16]; bf16 and int8 in words of two columns, int4 in words of eight (of four
                         // pairs: the even column low, the odd one 16 bits above); columns % 4 == 0
    const void *scale;   // int8: fp32 [blocks, 16]; int4: bf16 [blocks, groups, 2, 16], scale and minimum
    const float *bias;   // [blocks * 16] or null
    int32_t rows, columns, kind, group;
};

static inline vf splat(float x) { return vf{} + x; }
static inline vf load(const float *p) { return *(const vf_any *)p; }
static inline void store(float *p, vf x) { *(vf_any *)p = x; }
// GCC 12 widens sixteen small integers piece by piece where it is not told the instruction.
static inline vf load_bf16(const uint16_t *p) {
#ifdef __AVX512F__
    return (vf)((vi)_mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i *)p)) << 16);
#else
    return (vf)(__builtin_convertvector(*(const v16_any *)p, vu) << 16);
#endif
}
static inline vi load_pairs8(const int8_t *p) {  // sixteen times two columns, both still in one word
#ifdef __AVX512F__
    return (vi)_mm512_cvtepi16_epi32(_mm256_loadu_si256((const __m256i *)p));
#else
    return __builtin_convertvector(*(const v16s_any *)p, vi);
#endif
}
static inline vf nibble(vi word, int j, vf table) {
    const int from = 4 * (j / 2) + 16 * (j % 2);
#ifdef __AVX512F__
    return (vf)_mm512_permutexvar_ps((__m512i)(word >> from), (__m512)table);  // reads the low four bits only
#else
    (void)table;
    return __builtin_convertvector((word >> from) & 15, vf);
#endif
}
static inline float total(vf x) {
    float sum = 0, part[4] = {0, 0, 0, 0};
    for (int i = 0; i < LANES; i += 4)
        for (int j = 0; j < 4; j++) part[j] += x[i + j];
    for (int j = 0; j < 4; j++) sum += part[j];
    return sum;
}

// What `finish` leaves behind the columns of a row of x, in floats: for int4 the sum of each group, then, for integers,
// the scale of each span and the rounded columns.
static inline size_t sums_of(const Matrix &m) { return m.kind == INT4 ? m.columns / m.group : 0; }
static inline size_t spans_of(const Matrix &m) { return (m.columns + SPAN - 1) / SPAN; }
static inline bool rounds(const Matrix &m) { return INTEGERS && (m.kind == INT8 || m.kind == INT4); }

#ifdef __AVX512VNNI__
template <int KIND, int R>
static inline void integer_dots(const Matrix &m, int block, const float *x, size_t stride, vf *out) {
    constexpr int U = R >= 4 ? 1 : 4 / R;  // sums in flight
    const size_t columns = m.columns, spans = spans_of(m);
    const float *sums = x + columns, *scales = sums + sums_of(m);
    const int32_t *pairs = (const int32_t *)(scales + spans);
    const int8_t *data = (const int8_t *)m.data + (size_t)block * columns * LANES / (KIND == INT4 ? 2 : 1);
    const uint16_t *scale = (const uint16_t *)m.scale + (size_t)block * sums_of(m) * 32;
    vf acc[R];
    for (int r = 0; r < R; r++) acc[r] = vf{};
    __m512i sum[R][U];
    auto clear = [&] {
        for (int r = 0; r < R; r++)
            for (int u = 0; u < U; u++) sum[r][u] = _mm512_setzero_si512();
    };
    auto add = [&](int u, __m512i weights, size_t pair) {
        for (int r = 0; r < R; r++)
            sum[r][u % U] = _mm512_dpwssd_epi32(sum[r][u % U], weights, _mm512_set1_epi32(pairs[r * stride + pair]));
    };
    auto whole = [&](int r) {
        for (int u = 1; u < U; u++) sum[r][0] = _mm512_add_epi32(sum[r][0], sum[r][u]);
        return (vf)_mm512_cvtepi32_ps(sum[r][0]);
    };
    for (size_t span = 0, k = 0; span < spans; span++) {
        const size_t end = k + SPAN < columns ? k + SPAN : columns;
        if constexpr (KIND == INT8) {
            clear();
            for (; k < end; k += 4, data += 64) {
                __builtin_prefetch(data + PREFETCH);
                add(0, _mm512_cvtepi8_epi16(_mm256_loadu_si256((const __m256i *)data)), k / 2);
                add(1, _mm512_cvtepi8_epi16(_mm256_loadu_si256((const __m256i *)(data + 32))), k / 2 + 1);
            }
            for (int r = 0; r < R; r++) acc[r] += whole(r) * scales[r * stride + span];
        } else {
            vf part[R];
            for (int r = 0; r < R; r++) part[r] = vf{};
            const __m512i low = _mm512_set1_epi32(0x000f000f);
            while (k < end) {
                clear();
                for (const size_t stop = k + m.group; k < stop; k += 8, data += 64) {
                    __builtin_prefetch(data + PREFETCH);
                    const __m512i word = _mm512_loadu_si512(data);
                    add(0, _mm512_and_si512(word, low), k / 2);
                    add(1, _mm512_and_si512(_mm512_srli_epi16(word, 4), low), k / 2 + 1);
                    add(2, _mm512_and_si512(_mm512_srli_epi16(word, 8), low), k / 2 + 2);
                    add(3, _mm512_srli_epi16(word, 12), k / 2 + 3);
                }
                const vf s = load_bf16(scale), minimum = load_bf16(scale + LANES);
                for (int r = 0; r < R; r++) part[r] += whole(r) * s, acc[r] += minimum * sums[r * stride];
                scale += 32, sums++;
            }
            for (int r = 0; r < R; r++) acc[r] += part[r] * scales[r * stride + span];
        }
    }
    for (int r = 0; r < R; r++) out[r] = KIND == INT8 ? acc[r] * load((const float *)m.scale + block * LANES) : acc[r];
}
#endif

// Sixteen outputs of R rows of x (stride apart): out[r] = sum over columns of weight * x[r].
template <int KIND, int R>
static inline void dots(const Matrix &m, int block, const float *x, size_t stride, vf *out) {
    vf sum[R][4];  // four sums in flight whatever R is: the order of a sum must not depend on R
    for (int r = 0; r < R; r++)
        for (int u = 0; u < 4; u++) sum[r][u] = vf{};
    const size_t columns = m.columns;
#ifdef __AVX512VNNI__
    if constexpr (KIND == INT8 || KIND == INT4) return integer_dots<KIND, R>(m, block, x, stride, out);
#endif
    if constexpr (KIND == INT4) {
        const int32_t *data = (const int32_t *)m.data + (size_t)block * columns * 2;
        const int groups = columns / m.group, words = m.group / 8;
        const uint16_t *scale = (const uint16_t *)m.scale + (size_t)block * groups * 32;
        vf table;
        for (int i = 0; i < LANES; i++) table[i] = (float)i;
        vf acc[R];
        for (int r = 0; r < R; r++) acc[r] = vf{};
        for (int g = 0; g < groups; g++, scale += 32) {
            for (int r = 0; r < R; r++)
                for (int u = 0; u < 4; u++) sum[r][u] = vf{};
            const float *at = x + (size_t)g * m.group;
            for (int w = 0; w < words; w++, data += LANES, at += 8) {
                __builtin_prefetch((const char *)data + PREFETCH);
                const vi word = *(const vi_any *)data;
                for (int j = 0; j < 8; j++) {
                    const vf v = nibble(word, j, table);
                    for (int r = 0; r < R; r++) sum[r][j & 3] += v * at[r * stride + j];
                }
            }
            const vf s = load_bf16(scale), low = load_bf16(scale + LANES);
            for (int r = 0; r < R; r++) {
                // The sum of x over the group, which `finish` left behind the columns of x.
                acc[r] += ((sum[r][0] + sum[r][1]) + (sum[r][2] + sum[r][3])) * s;
                acc[r] += low * x[r * stride + columns + g];
            }
        }
        for (int r = 0; r < R; r++) out[r] = acc[r];
        return;
    }
    const size_t at = (size_t)block * columns * LANES;
    constexpr int BYTES = KIND == F32 ? 4 : KIND == BF16 ? 2 : 1;
    for (size_t k = 0; k < columns; k += 4) {
        for (int b = 0; b < BYTES; b++)
            __builtin_prefetch((const char *)m.data + (at + k * LANES) * BYTES + 64 * b + PREFETCH);
        vf v[4];
        if constexpr (KIND == BF16) {  // two neighbouring columns to a word
            const int32_t *data = (const int32_t *)m.data + (at + k * LANES) / 2;
            const vi one = *(const vi_any *)data, two = *(const vi_any *)(data + LANES);
            v[0] = (vf)(one << 16), v[1] = (vf)(one & (int32_t)0xffff0000);
            v[2] = (vf)(two << 16), v[3] = (vf)(two & (int32_t)0xffff0000);
        } else if constexpr (KIND == INT8) {
            for (int u = 0; u < 4; u += 2) {
                const vi pair = load_pairs8((const int8_t *)m.data + at + (k + u) * LANES);
                v[u] = __builtin_convertvector((pair << 24) >> 24, vf), v[u + 1] = __builtin_convertvector(pair >> 8, vf);
            }
        } else {
            for (int u = 0; u < 4; u++) v[u] = load((const float *)m.data + at + (k + u) * LANES);
        }
        for (int u = 0; u < 4; u++)
            for (int r = 0; r < R; r++) sum[r][u] += v[u] * x[r * stride + k + u];
    }
    for (int r = 0; r < R; r++) {
        out[r] = (sum[r][0] + sum[r][1]) + (sum[r][2] + sum[r][3]);
        if constexpr (KIND == INT8) out[r] *= load((const float *)m.scale + block * LANES);
    }
}
