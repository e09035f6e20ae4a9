// Attention of one group of query heads (those that share a key head) over the columns [start, at + n) of a cache row.
#pragma once

static inline float kv_at(const void *p, size_t i, int kind) {
    if (kind == F32) return ((const float *)p)[i];
    uint32_t bits = (uint32_t)((const uint16_t *)p)[i] << 16;
    float x;
    std::memcpy(&x, &bits, 4);
    return x;
}
static inline void kv_put(void *p, size_t i, float x, int kind) {
    if (kind == F32) { ((float *)p)[i] = x; return; }
    uint32_t bits;
    std::memcpy(&bits, &x, 4);
    bits += 0x7fff + ((bits >> 16) & 1);  // to the nearest, ties to even
    ((uint16_t *)p)[i] = (uint16_t)(bits >> 16);
}
template <int KIND> static inline vf kv_load(const void *p, size_t i) {
    if constexpr (KIND == F32) return load((const float *)p + i);
    return load_bf16((const uint16_t *)p + i);
}

static void turn(const Model &m, const float *cos, const float *sin, float *x) {
    const int half = m.rotary / 2;
    for (int i = 0; i < half; i++) {
        const int a = m.interleaved ? 2 * i : i, b = m.interleaved ? 2 * i + 1 : i + half;
        const float p = x[a], q = x[b];
        x[a] = p * cos[i] - q * sin[i];
        x[b] = q * cos[i] + p * sin[i];
    }
}

// `quarters` leaves in the i-th four lanes what s[i] still has to sum; `totals` makes sixteen sums of four such, in order.
// Each column's sum has the same order whichever lane it ends in, as a token must get the same bits wherever the window
// begins.
#ifdef __AVX512F__
static inline vf quarters(const vf *s) {
    const __m512 a = (__m512)s[0], b = (__m512)s[1], c = (__m512)s[2], d = (__m512)s[3];
    const __m512 ab = _mm512_shuffle_f32x4(a, b, 0x44) + _mm512_shuffle_f32x4(a, b, 0xee);
    const __m512 cd = _mm512_shuffle_f32x4(c, d, 0x44) + _mm512_shuffle_f32x4(c, d, 0xee);
    return (vf)(_mm512_shuffle_f32x4(ab, cd, 0x88) + _mm512_shuffle_f32x4(ab, cd, 0xdd));
}
static inline vf totals(const vf *u) {
    const __m512 a = (__m512)u[0], b = (__m512)u[1], c = (__m512)u[2], d = (__m512)u[3];
    const __m512 w = _mm512_shuffle_ps(a, b, 0x44) + _mm512_shuffle_ps(a, b, 0xee);
    const __m512 z = _mm512_shuffle_ps(c, d, 0x44) + _mm512_shuffle_ps(c, d, 0xee);
    return (vf)(_mm512_shuffle_ps(w, z, 0x88) + _mm512_shuffle_ps(w, z, 0xdd));
}
#else
static inline vf quarters(const vf *s) {
    vf all = {};
    for (int i = 0; i < 4; i++) all[4 * i] = total(s[i]);
    return all;
}
static inline vf totals(const vf *u) {
    vf all;
    for (int i = 0; i < LANES; i++) all[i] = u[i % 4][i / 4 * 4];
    return all;
}
#endif

// Scores of Q queries against the keys of `columns`, sixteen at a time: what is read beyond the last one is the last one
// again, and is overwritten by `soften`. V vectors to a head; in what calls it, V 0 is any head dimension, slower.
template <int V, int KIND, int Q>
static void score_rows(const float *q, const void *keys, size_t first, int columns, int dim, float *score, size_t room) {
    vf mine[Q][V];
    for (int a = 0; a < Q; a++)
        for (int v = 0; v < V; v++) mine[a][v] = load(q + a * dim + v * LANES);
    for (int j = 0; j < columns; j += LANES) {
        // The order in which a block is read hides from the processor that they follow one another.
        const char *next = (const char *)keys + (first + (size_t)(j + 2 * LANES) * dim) * (KIND == F32 ? 4 : 2);
        for (int i = 0; i < LANES * V * (KIND == F32 ? 64 : 32); i += 64) __builtin_prefetch(next + i);
        vf four[Q][4];
        for (int e = 0; e < 4; e++) {
            vf s[Q][4];
            for (int c = 0; c < 4; c++) {
                const int column = j + 4 * c + e;
                const size_t at = first + (size_t)(column < columns ? column : columns - 1) * dim;
                for (int v = 0; v < V; v++) {
                    const vf x = kv_load<KIND>(keys, at + v * LANES);
                    for (int a = 0; a < Q; a++) s[a][c] = v ? s[a][c] + x * mine[a][v] : x * mine[a][v];
                }
            }
            for (int a = 0; a < Q; a++) four[a][e] = quarters(s[a]);
        }
        for (int a = 0; a < Q; a++) store(score + a * room + j, totals(four[a]));
    }
}
template <int V, int KIND>
static void scores(const float *q, int queries, const void *keys, size_t first, int columns, int dim, float *score,
                   size_t room) {
    if constexpr (V > 0) {
        constexpr int Q = V > 4 ? 1 : 3;
        int i = 0;
        for (; i + Q <= queries; i += Q) score_rows<V, KIND, Q>(q + i * dim, keys, first, columns, dim, score + i * room, room);
        q += i * dim, score += i * room;
        switch (queries - i) {
            case 2: score_rows<V, KIND, 2>(q, keys, first, columns, dim, score, room); break;
            case 1: score_rows<V, KIND, 1>(q, keys, first, columns, dim, score, room);
        }
    } else {
        for (int j = 0; j < columns; j++)
            for (int i = 0; i < queries; i++) {
                float s = 0;
                for (int d = 0; d < dim; d++) s += kv_at(keys, first + (size_t)j * dim + d, KIND) * q[i * dim + d];
                score[i * room + j] = s;
            }
    }
}
template <int V, int KIND, int Q>
static void mix_rows(const float *p, size_t room, const void *values, size_t first, int columns, int dim, float *out) {
    vf sum[Q][V];
    for (int a = 0; a < Q; a++)
        for (int v = 0; v < V; v++) sum[a][v] = vf{};
    for (int j = 0; j < columns; j++)
        for (int v = 0; v < V; v++) {
            const vf x = kv_load<KIND>(values, first + (size_t)j * dim + v * LANES);
            for (int a = 0; a < Q; a++) sum[a][v] += x * p[a * room + j];
        }
    for (int a = 0; a < Q; a++)
        for (int v = 0; v < V; v++) store(out + a * dim + v * LANES, sum[a][v]);
}
template <int V, int KIND>
static void mix(const float *p, size_t room, int queries, const void *values, size_t first, int columns, int dim,
                float *out) {
    if constexpr (V > 0) {
        constexpr int Q = V >= 8 ? 2 : 4;
        int i = 0;
        for (; i + Q <= queries; i += Q) mix_rows<V, KIND, Q>(p + i * room, room, values, first, columns, dim, out + i * dim);
        p += i * room, out += i * dim;
        switch (queries - i) {
            case 3: mix_rows<V, KIND, 3>(p, room, values, first, columns, dim, out); break;
            case 2: mix_rows<V, KIND, 2>(p, room, values, first, columns, dim, out); break;
            case 1: mix_rows<V, KIND, 1>(p, room, values, first, columns, dim, out);
        }
    } else {
        for (int i = 0; i < queries; i++) {
            for (int d = 0; d < dim; d++) out[i * dim + d] = 0;
            for (int j = 0; j < columns; j++)
                for (int d = 0; d < dim; d++)
                    out[i * dim + d] += p[i * room + j] * kv_at(values, first + (size_t)j * dim + d, KIND);
        }
    }
}

// p := exp(p - max) / sum, over the first `seen` of `columns`; the rest becomes 0.
static void soften(float *p, int seen, int columns) {
    const int padded = (columns + LANES - 1) / LANES * LANES;
    for (int j = seen; j < padded; j++) p[j] = -1e30f;
    vf most = load(p);
    for (int j = LANES; j < padded; j += LANES) {
        const vf x = load(p + j);
        most = x > most ? x : most;
    }
    float top = most[0];
    for (int i = 1; i < LANES; i++) top = most[i] > top ? most[i] : top;
    vf sum = {};
    for (int j = 0; j < padded; j += LANES) {
        const vf e = exp_(load(p + j) - top);
        store(p + j, e);
        sum += e;
    }
    for (int j = seen; j < padded; j++) p[j] = 0;
    const float one = 1.0f / total(sum);
    for (int j = 0; j < padded; j += LANES) store(p + j, load(p + j) * one);
}

template <int V, int KIND>
static void attend_columns(const Layer &L, const Call &c, const float *q, int group, size_t base, int start, int dim,
                           float *score, float *mixed) {
    const int columns = c.at + c.n - start, queries = c.n * group;
    const size_t room = (c.capacity + LANES - 1) / LANES * LANES, first = base + (size_t)start * dim;
    scores<V, KIND>(q, queries, L.keys, first, columns, dim, score, room);
    for (int i = 0; i < queries; i++) soften(score + i * room, columns - c.n + i / group + 1, columns);
    mix<V, KIND>(score, room, queries, L.values, first, columns, dim, mixed);
}

// Task t: batch row t / kv_heads, key head t % kv_heads. Reads q, k, v of `wide`, appends k and v to the cache, writes
// the heads' mixed values to `mixed`.
static void attend(const Model &m, const Layer &L, const Call &c, const float *wide, float *mixed, float *own, int t) {
    const int row = t / m.kv_heads * c.n, h = t % m.kv_heads, group = m.heads / m.kv_heads, dim = m.dim;
    const int start = c.start[t / m.kv_heads];
    const size_t base = (size_t)t * c.capacity * dim;
    const int queries = m.heads * dim, whole = m.kv_heads * dim;
    float *q = own, *result = q + (size_t)c.n * group * dim, *score = result + (size_t)c.n * group * dim;
    for (int i = 0; i < c.n; i++) {
        const float *line = wide + (size_t)(row + i) * c.stride, *cos = c.cos + (size_t)(row + i) * (m.rotary / 2);
        const float *sin = c.sin + (size_t)(row + i) * (m.rotary / 2);
        float key[512];
        auto prepare = [&](const Norm &w, const float *from, int head, int wide_norm, float *to) {
            const float *x = from + head * dim;
            if (!w.weight) std::memcpy(to, x, dim * sizeof(float));
            else if (!wide_norm) norm(w, x, to, dim);
            else {  // one norm over all heads together
                double square = 0;
                for (int d = 0; d < wide_norm; d++) square += (double)from[d] * from[d];
                const float scale = 1.0f / std::sqrt((float)(square / wide_norm) + w.eps);
                for (int d = 0; d < dim; d++) to[d] = x[d] * scale * w.weight[head * dim + d];
            }
            if (L.rotates) turn(m, cos, sin, to);
        };
        prepare(L.key, line + queries, h, L.key.form == 2 ? whole : 0, key);
        for (int d = 0; d < dim; d++) {
            const size_t at = base + (size_t)(c.at + i) * dim + d;
            kv_put(L.keys, at, key[d], m.kv_kind);
            kv_put(L.values, at, line[queries + whole + h * dim + d], m.kv_kind);
        }
        for (int g = 0; g < group; g++) {
            float *to = q + (size_t)(i * group + g) * dim;
            prepare(L.query, line, h * group + g, L.query.form == 2 ? queries : 0, to);
            for (int d = 0; d < dim; d++) to[d] *= m.scaling;
        }
    }
    const bool exact = m.kv_kind == F32;
#define ATTEND(V) exact ? attend_columns<V, F32>(L, c, q, group, base, start, dim, score, result) \
                        : attend_columns<V, BF16>(L, c, q, group, base, start, dim, score, result)
    switch (dim % LANES ? 0 : dim / LANES) {
        case 1: ATTEND(1); break;
        case 2: ATTEND(2); break;
        case 4: ATTEND(4); break;
        case 5: ATTEND(5); break;
        case 6: ATTEND(6); break;
        case 8: ATTEND(8); break;
        default: ATTEND(0);
    }
    for (int i = 0; i < c.n; i++)
        for (int g = 0; g < group; g++)
            std::memcpy(mixed + (size_t)(row + i) * c.stride + (size_t)(h * group + g) * dim,
                        result + (size_t)(i * group + g) * dim, dim * sizeof(float));
}
