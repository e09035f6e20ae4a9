// Vector types, weight formats and the row-blocked matrix product of the decode step.
//
// Weights lie in blocks of 16 output rows, lane = row, so that one linear stream of memory feeds each thread and no
// sum over lanes is ever needed. All sums are fp32. The order of every sum depends on the columns alone: a token gets
// the same bits whether it comes alone or with others. GCC's vector extensions, so any g++ or clang++ and any CPU will do.
#pragma once
#include <cstddef>
#include <cstdint>
#include <cstring>
#ifdef __AVX512F__
#include <immintrin.h>
#endif

constexpr int LANES = 16;
#ifndef PREFETCH
#define PREFETCH 4096  // bytes ahead
#endif
typedef float vf __attribute__((vector_size(64)));
typedef int32_t vi __attribute__((vector_size(64)));
typedef float vf_any __attribute__((vector_size(64), aligned(4), may_alias));
typedef int32_t vi_any __attribute__((vector_size(64), aligned(4), may_alias));
typedef int8_t v8_any __attribute__((vector_size(16), aligned(1), may_alias));
typedef uint16_t v16_any __attribute__((vector_size(32), aligned(2), may_alias));
typedef int16_t v16s __attribute__((vector_size(32)));
typedef uint32_t vu __attribute__((vector_size(64)));

enum Kind { F32 = 0, BF16 = 1, INT8 = 2, INT4 = 3 };

struct Matrix {
    const void *data;    // [blocks, columns, 16]; bf16 in words of two columns, int4 in words of eight; columns % 4 == 0
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
static inline vf load_int8(const int8_t *p) {
#ifdef __AVX512F__
    return (vf)_mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128((const __m128i *)p)));
#else
    return __builtin_convertvector(__builtin_convertvector(__builtin_convertvector(*(const v8_any *)p, v16s), vi), vf);
#endif
}
static inline vf nibble(vi word, int j, vf table) {
#ifdef __AVX512F__
    return (vf)_mm512_permutexvar_ps((__m512i)(word >> (4 * j)), (__m512)table);  // reads the low four bits only
#else
    (void)table;
    return __builtin_convertvector((word >> (4 * j)) & 15, vf);
#endif
}
static inline float total(vf x) {
    float sum = 0, part[4] = {0, 0, 0, 0};
    for (int i = 0; i < LANES; i += 4)
        for (int j = 0; j < 4; j++) part[j] += x[i + j];
    for (int j = 0; j < 4; j++) sum += part[j];
    return sum;
}

// Sixteen outputs of R rows of x (stride apart): out[r] = sum over columns of weight * x[r].
template <int KIND, int R>
static inline void dots(const Matrix &m, int block, const float *x, size_t stride, vf *out) {
    vf sum[R][4];  // four sums in flight whatever R is: the order of a sum must not depend on R
    for (int r = 0; r < R; r++)
        for (int u = 0; u < 4; u++) sum[r][u] = vf{};
    const size_t columns = m.columns;
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
        } else {
            for (int u = 0; u < 4; u++) {
                const size_t i = at + (k + u) * LANES;
                if constexpr (KIND == F32) v[u] = load((const float *)m.data + i);
                else v[u] = load_int8((const int8_t *)m.data + i);
            }
        }
        for (int u = 0; u < 4; u++)
            for (int r = 0; r < R; r++) sum[r][u] += v[u] * x[r * stride + k + u];
    }
    for (int r = 0; r < R; r++) {
        out[r] = (sum[r][0] + sum[r][1]) + (sum[r][2] + sum[r][3]);
        if constexpr (KIND == INT8) out[r] *= load((const float *)m.scale + block * LANES);
    }
}
