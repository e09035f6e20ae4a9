// One decode step of a decoder-only transformer, whole, in one call: norms, projections, rotary embedding, attention
// over the sink cache's own buffers, gated feed-forward, logits. Built at run time and called through ctypes by
// native.py, which owns every buffer and says what the fields hold. Nothing is allocated here.
#include <atomic>
#include <cmath>
#include <omp.h>

#include "kernels.h"

struct Norm {
    const float *weight, *bias;  // weight null: no norm here; bias is a layer norm's
    float eps;
    int32_t form;  // 0: root mean square, 1: layer norm, 2: root mean square over all heads together
};
struct Layer {
    Matrix qkv, out, gate, up, down;
    Norm before_attention, after_attention, before_mlp, after_mlp, query, key;
    void *keys, *values;  // [batch, kv heads, capacity, head dim]
    int32_t rotates, unused;
};
struct Model {
    Layer *layer;
    Matrix head;
    Norm last;
    int32_t layers, hidden, heads, kv_heads, dim, inner, rotary, interleaved, act, kv_kind;
    float scaling;
};
struct Call {
    float *x;                // [rows, stride], the embeddings; overwritten
    float *logits;           // [rows asked for, vocabulary rounded up to 16]
    const float *cos, *sin;  // [rows, rotary / 2]
    float *scratch;          // see `scratch_floats`
    const int32_t *wanted;   // rows of x whose logits are asked for
    const int32_t *start;    // [batch], the first column that each batch row holds
    int32_t batch, n, wanted_rows, capacity, at, threads, stride, unused;
};

static inline vf exp_(vf x) {  // Cephes' expf; x <= 0 here, or small
    x = x < -87.0f ? splat(-87.0f) : x;
    x = x > 87.0f ? splat(87.0f) : x;
    const vf magic = splat(12582912.0f);
    const vf n = (x * 1.44269504f + magic) - magic;
    const vf r = (x - n * 0.693359375f) + n * 2.12194440e-4f;
    vf p = splat(1.9875691500e-4f);
    p = p * r + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    p = p * r * r + r + 1.0f;
    return p * (vf)((__builtin_convertvector(n, vi) + 127) << 23);
}
static inline vf activate(vf g, int act) {
    if (act == 0) return g / (1.0f + exp_(-g));                      // silu
    const vf t = 0.7978845608f * (g + 0.044715f * g * g * g);       // gelu, tanh form
    return g / (1.0f + exp_(-2.0f * t));
}

static void norm(const Norm &w, const float *x, float *y, int n) {
    vf sum = {}, square = {};
    int i = 0;
    float mean = 0, tail = 0;
    if (w.form == 1) {
        for (; i + LANES <= n; i += LANES) sum += load(x + i);
        for (; i < n; i++) tail += x[i];
        mean = (total(sum) + tail) / n;
    }
    tail = 0;
    for (i = 0; i + LANES <= n; i += LANES) { const vf d = load(x + i) - mean; square += d * d; }
    for (; i < n; i++) tail += (x[i] - mean) * (x[i] - mean);
    const float scale = 1.0f / std::sqrt((total(square) + tail) / n + w.eps);
    for (i = 0; i + LANES <= n; i += LANES) {
        vf v = (load(x + i) - mean) * scale * load(w.weight + i);
        if (w.bias) v += load(w.bias + i);
        store(y + i, v);
    }
    for (; i < n; i++) y[i] = (x[i] - mean) * scale * w.weight[i] + (w.bias ? w.bias[i] : 0.0f);
}

// Zeros up to the columns of the matrix, and behind them what kernels.h says: for int4 the sums of x over each group (what
// the group's minimum is multiplied with), and for integers the scales and the rounded columns.
static void finish(const Matrix &m, float *x, int width) {
    std::memset(x + width, 0, (m.columns - width) * sizeof(float));
    for (size_t g = 0; g < sums_of(m); g++) {
        vf s = {};
        for (int i = 0; i < m.group; i += LANES) s += load(x + g * m.group + i);
        x[m.columns + g] = total(s);
    }
    if (!rounds(m)) return;
    float *scales = x + m.columns + sums_of(m);
    auto *rounded = (int16_t *)(scales + spans_of(m));
    for (size_t span = 0; span < spans_of(m); span++) {
        const int from = span * SPAN, to = from + SPAN < m.columns ? from + SPAN : m.columns;
        const int even = from + (to - from) / LANES * LANES;
        vf most = {};
        for (int i = from; i < even; i += LANES) {
            const vf size = (vf)((vi)load(x + i) & 0x7fffffff);
            most = size > most ? size : most;
        }
        float top = 0;
        for (int i = 0; i < LANES; i++) top = most[i] > top ? most[i] : top;
        for (int i = even; i < to; i++) top = std::fabs(x[i]) > top ? std::fabs(x[i]) : top;
        const float one = top > 1e-30f ? 32767.0f / top : 0.0f;
        scales[span] = top / 32767.0f;
        // Adding 1.5 * 2^23 rounds to the nearest integer, ties to even, and leaves it in the low bits.
        for (int i = from; i < even; i += LANES) {
            const vi whole = (vi)(load(x + i) * one + 12582912.0f);
            *(v16s_any *)(rounded + i) = __builtin_convertvector(whole, v16s_any);
        }
        for (int i = even; i < to; i++) rounded[i] = (int16_t)__builtin_lrintf(x[i] * one);
    }
}

template <int KIND>
static inline void rows_of(const Matrix &m, int block, const float *x, size_t stride, int rows, vf *out) {
    int r = 0;
    if constexpr (INTEGERS && (KIND == INT8 || KIND == INT4))
        for (; r + 8 <= rows; r += 8) dots<KIND, 8>(m, block, x + r * stride, stride, out + r);
    for (; r + 4 <= rows; r += 4) dots<KIND, 4>(m, block, x + r * stride, stride, out + r);
    if (r + 2 <= rows) { dots<KIND, 2>(m, block, x + r * stride, stride, out + r); r += 2; }
    if (r < rows) dots<KIND, 1>(m, block, x + r * stride, stride, out + r);
}
constexpr int MOST = 32;     // rows of one call
constexpr int COUNTERS = 5;  // shared loops of one layer

static inline void product(const Matrix &m, int block, const float *x, size_t stride, int rows, vf *out) {
    switch (m.kind) {
        case F32: rows_of<F32>(m, block, x, stride, rows, out); break;
        case BF16: rows_of<BF16>(m, block, x, stride, rows, out); break;
        case INT8: rows_of<INT8>(m, block, x, stride, rows, out); break;
        default: rows_of<INT4>(m, block, x, stride, rows, out);
    }
    if (m.bias)
        for (int r = 0; r < rows; r++) out[r] += load(m.bias + block * LANES);
}

// Blocks are handed out by a counter: on a shared machine a thread that is held up gets fewer.
template <class F> static inline void share(std::atomic<int> &counter, int blocks, int grain, F work) {
    for (int b; (b = counter.fetch_add(grain, std::memory_order_relaxed)) < blocks;)
        for (int i = b; i < b + grain && i < blocks; i++) work(i);
}
static inline int grain_of(int blocks, int threads) {
    const int g = blocks / (threads * 8);
    return g < 1 ? 1 : g;
}

#include "attention.h"

static size_t side_floats(const Model &m, const Call &c) {  // of one thread: normed rows and attention's own
    const size_t group = m.heads / m.kv_heads;
    return (size_t)c.stride * MOST + c.n * group * (c.capacity + 2 * (size_t)m.dim + 64) + 4096;
}
extern "C" size_t scratch_floats(const Model *m, const Call *c) {
    return (size_t)c->stride * MOST * 3 + side_floats(*m, *c) * c->threads + COUNTERS * m->layers + 4096;
}
extern "C" void multiply(const Matrix *m, float *x, float *y) {  // one row, one thread; x has room for the sums
    finish(*m, x, m->columns);
    for (int b = 0; b < (m->rows + LANES - 1) / LANES; b++) {
        vf out[1];
        product(*m, b, x, 0, 1, out);
        store(y + b * LANES, out[0]);
    }
}
extern "C" int32_t sizes(int i) { return i == 0 ? sizeof(Layer) : i == 1 ? sizeof(Model) : sizeof(Call); }

extern "C" void step(const Model *model, const Call *call) {
    const Model &m = *model;
    const Call &c = *call;
    const int rows = c.batch * c.n;
    const size_t stride = c.stride;
    float *wide = c.scratch, *mixed = wide + stride * MOST, *inner = mixed + stride * MOST;
    auto *counters = (std::atomic<int> *)(inner + stride * MOST);
    const int used = m.layers * COUNTERS + 1;
    for (int i = 0; i < used; i++) counters[i].store(0, std::memory_order_relaxed);
    float *sides = inner + stride * MOST + (used + 63) / 64 * 64;
#pragma omp parallel num_threads(c.threads)
    {
        float *normed = sides + side_floats(m, c) * omp_get_thread_num(), *own = normed + stride * MOST;
        const int threads = omp_get_num_threads();
        vf out[MOST], more[MOST];
        std::atomic<int> *counter = counters;
        // Every thread norms every row for itself: cheaper than a barrier.
        auto prepare = [&](const Norm &w, const Matrix &next, const float *from, const int32_t *pick, int count) {
            for (int r = 0; r < count; r++) {
                const float *x = from + (pick ? pick[r] : r) * stride;
                float *y = normed + r * stride;
                if (w.weight) norm(w, x, y, m.hidden);
                else std::memcpy(y, x, m.hidden * sizeof(float));
                finish(next, y, m.hidden);
            }
        };
        auto take = [&](const Matrix &next, const float *from, int width) {
            for (int r = 0; r < rows; r++) {
                std::memcpy(normed + r * stride, from + r * stride, width * sizeof(float));
                finish(next, normed + r * stride, width);
            }
        };
        auto multiply = [&](const Matrix &w, float *to, bool add) {
            const int blocks = (w.rows + LANES - 1) / LANES;
            share(*counter++, blocks, grain_of(blocks, threads), [&](int b) {
                product(w, b, normed, stride, rows, out);
                for (int r = 0; r < rows; r++) {
                    float *y = to + r * stride + b * LANES;
                    store(y, add ? load(y) + out[r] : out[r]);
                }
            });
        };
        auto after = [&](const Norm &w, float *from) {  // for models that norm what a layer adds
            if (w.weight) {
#pragma omp barrier
#pragma omp for
                for (int r = 0; r < rows; r++) {
                    norm(w, from + r * stride, from + r * stride, m.hidden);
                    for (int i = 0; i < m.hidden; i++) c.x[r * stride + i] += from[r * stride + i];
                }
            } else {
#pragma omp barrier
            }
        };
        for (int l = 0; l < m.layers; l++) {
            const Layer &L = m.layer[l];
            prepare(L.before_attention, L.qkv, c.x, nullptr, rows);
            multiply(L.qkv, wide, false);
#pragma omp barrier
            share(*counter++, c.batch * m.kv_heads, 1, [&](int t) { attend(m, L, c, wide, mixed, own, t); });
#pragma omp barrier
            take(L.out, mixed, m.heads * m.dim);
            multiply(L.out, L.after_attention.weight ? inner : c.x, !L.after_attention.weight);
            after(L.after_attention, inner);
            prepare(L.before_mlp, L.gate, c.x, nullptr, rows);
            const int blocks = (L.gate.rows + LANES - 1) / LANES;
            share(*counter++, blocks, grain_of(blocks, threads), [&](int b) {
                product(L.gate, b, normed, stride, rows, out);
                product(L.up, b, normed, stride, rows, more);
                for (int r = 0; r < rows; r++) store(inner + r * stride + b * LANES, activate(out[r], m.act) * more[r]);
            });
#pragma omp barrier
            take(L.down, inner, m.inner);
            multiply(L.down, L.after_mlp.weight ? wide : c.x, !L.after_mlp.weight);
            after(L.after_mlp, wide);
        }
        prepare(m.last, m.head, c.x, c.wanted, c.wanted_rows);
        const int blocks = (m.head.rows + LANES - 1) / LANES;
        share(*counter++, blocks, grain_of(blocks, threads), [&](int b) {
            product(m.head, b, normed, stride, c.wanted_rows, out);
            for (int r = 0; r < c.wanted_rows; r++) store(c.logits + (size_t)r * blocks * LANES + b * LANES, out[r]);
        });
    }
}
