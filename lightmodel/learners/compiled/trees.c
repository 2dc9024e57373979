/* Scores rows with a LightGBM model whose trees are tables.

   Both algorithms add the values of the leaves in LightGBM's order, so that the sums equal LightGBM's to the
   last bit.

   `quick_score` scores 128 rows in parallel. A value becomes its rank among the thresholds of its feature, so that
   "x <= threshold" compares two bytes; LightGBM's treatment of missing values, zeros and categories is part of
   the ranks as well, in separate columns. A node that sends a row to the right (a false node) masks out the leaves on
   its left, and the first leaf that remains is the exit leaf (QuickScorer, Lucchese et al. 2015). A tree's leaves are
   handled eight at a time: one byte per row. No branch depends on a value, so the compiler vectorizes every
   loop over rows.

   `walk` follows one row from node to node. It scores models that are too big for `quick_score`. */

#if defined(__GNUC__) && !defined(__clang__)
/* This optimization would interleave tests instead of rows and prevent vectorization: four times slower. */
#pragma GCC optimize("no-loop-unroll-and-jam")
#endif

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "trees.h"

#define BLOCK 128
#define SMALL_BLOCK 32        /* used for up to half a block of rows */
#define MAX_SINGLE_ROWS 2     /* so few rows are scored one by one */
#define MAX_LEAF_BYTES 32       /* 256 leaves: the number of a leaf fits in a byte */

static int goes_left(const struct model *model, const struct node *node, double x) {
    if (node->flags & CATEGORICAL)
        return in_set(model->sets + (int32_t)node->threshold, node->words, x);
    if (isnan(x) && !(node->flags & MISSING_NAN)) x = 0.0;
    if (isnan(x) || (node->flags & MISSING_ZERO && fabs(x) <= ZERO))
        return (node->flags & DEFAULT_LEFT) != 0;
    return x <= node->threshold;
}

static void walk(const struct model *model, const double *row, double *sums) {
    for (int tree = 0; tree < model->trees; tree++) {
        const struct node *nodes = model->nodes + model->first_node[tree];
        int at = model->first_node[tree + 1] > model->first_node[tree] ? 0 : ~0;
        while (at >= 0)
            at = goes_left(model, nodes + at, row[nodes[at].feature]) ? nodes[at].left : nodes[at].right;
        sums[tree % model->classes] += model->leaves[model->first_leaf[tree] + ~at];
    }
}

/* Writes the rank of each number: how many thresholds are below it, minus 128. */
static inline void rank_numbers(const struct model *model, const struct column *column, const double *x,
                                int lanes, int8_t *ranks) {
    const double *thresholds = model->thresholds + column->start;
    const double zero = column->kind == NUMBER_ZERO_MISSING ? ZERO : -1.0;
    int32_t rank[BLOCK];
    for (int i = 0; i < lanes; i++) rank[i] = 0;
    for (int step = column->count - 1; step >= 0; step--)
        for (int i = 0; i < lanes; i++)
            rank[i] += (thresholds[rank[i] + (1 << step) - 1] < x[i]) << step;
    for (int i = 0; i < lanes; i++)
        ranks[i] = (int8_t)(isnan(x[i]) || fabs(x[i]) <= zero ? column->missing : rank[i] - 128);
}

static inline void rank_categories(const struct model *model, const struct column *column, const double *x,
                                   int lanes, int8_t *ranks) {
    const uint32_t *set = model->sets + column->start;
    for (int i = 0; i < lanes; i++) ranks[i] = (int8_t)!in_set(set, column->count, x[i]);
}

/* Writes the number of each row's first leaf that is not masked out; `remaining` is (leaf_bytes, lanes). */
static inline void exit_leaves(const uint8_t *remaining, int leaf_bytes, int lanes, uint8_t *leaf) {
    for (int i = 0; i < lanes; i++) leaf[i] = 0;
    for (int leaf_byte = leaf_bytes - 1; leaf_byte >= 0; leaf_byte--)
        for (int i = 0; i < lanes; i++) {
            uint8_t all = remaining[leaf_byte * lanes + i], low = all & (uint8_t)-all;
            uint8_t bit = (uint8_t)(((low & 0xaa) ? 1 : 0) | ((low & 0xcc) ? 2 : 0) | ((low & 0xf0) ? 4 : 0));
            leaf[i] = all ? (uint8_t)(leaf_byte * 8 + bit) : leaf[i];
        }
}

/* Adds up the trees for rows whose ranks are (columns, lanes); sums are (classes, lanes). */
static inline __attribute__((always_inline)) void quick_score(const struct model *model, const int8_t *ranks,
                                                         const int lanes, double *sums) {
    uint8_t left[MAX_LEAF_BYTES * BLOCK], leaf[BLOCK];
    for (int tree = 0; tree < model->trees; tree++) {
        const int first = model->first_leaf_byte[tree], leaf_bytes = model->first_leaf_byte[tree + 1] - first;
        for (int leaf_byte = 0; leaf_byte < leaf_bytes; leaf_byte++) {
            uint8_t remaining[BLOCK];
            const struct test *test = model->tests + model->first_test[first + leaf_byte];
            const struct test *end = model->tests + model->first_test[first + leaf_byte + 1];
            for (int i = 0; i < lanes; i++) remaining[i] = 0xff;
            for (; test < end; test++) {
                const int8_t *rank = ranks + test->column * lanes, bound = test->bound;
                const uint8_t mask = test->mask;
                for (int i = 0; i < lanes; i++) remaining[i] &= (rank[i] < bound ? 0xff : 0) | mask;
            }
            memcpy(left + leaf_byte * lanes, remaining, (size_t)lanes);
        }
        exit_leaves(left, leaf_bytes, lanes, leaf);
        const double *leaves = model->leaves + model->first_leaf[tree];
        double *sum = sums + tree % model->classes * lanes;
        for (int i = 0; i < lanes; i++) sum[i] += leaves[leaf[i]];
    }
}

/* `quick_score` for one row, without branches on remaining leaves, which are hard to predict. */
static void quick_score_row(const struct model *model, const int8_t *ranks, double *sums) {
    for (int tree = 0; tree < model->trees; tree++) {
        const int first = model->first_leaf_byte[tree];
        uint32_t leaf = 0;
        for (int leaf_byte = model->first_leaf_byte[tree + 1] - first - 1; leaf_byte >= 0; leaf_byte--) {
            const struct test *test = model->tests + model->first_test[first + leaf_byte];
            const struct test *end = model->tests + model->first_test[first + leaf_byte + 1];
            uint32_t remaining = 0xff;
            for (; test < end; test++)
                remaining &= -(uint32_t)(ranks[test->column] < test->bound) | test->mask;
            const uint32_t candidate = (uint32_t)(leaf_byte * 8 + __builtin_ctz(remaining | 0x100));
            const uint32_t none = ((remaining + 0xff) >> 8) - 1; /* all bits, if no leaf remains */
            leaf = (leaf & none) | (candidate & ~none);
        }
        sums[tree % model->classes] += model->leaves[model->first_leaf[tree] + leaf];
    }
}

/* Scores at most `lanes` rows; x is (features, lanes). */
static inline __attribute__((always_inline)) void score_block(const struct model *model, const double *x,
                                                              const int lanes, int8_t *ranks, double *sums) {
    for (int at = 0; at < model->ranked; at++) {
        const struct column *column = model->columns + at;
        const double *values = x + column->feature * lanes;
        if (column->kind == CATEGORY)
            rank_categories(model, column, values, lanes, ranks + at * lanes);
        else
            rank_numbers(model, column, values, lanes, ranks + at * lanes);
    }
    if (lanes == 1)
        quick_score_row(model, ranks, sums);
    else
        quick_score(model, ranks, lanes, sums);
}

static void transform(const struct model *model, double *scores) {
    double most = -INFINITY, sum = 0;
    for (int at = 0; at < model->classes; at++) scores[at] /= model->divisor;
    if (model->link == SIGMOID)
        for (int at = 0; at < model->classes; at++)
            scores[at] = 1.0 / (1.0 + exp(-model->steepness * scores[at]));
    if (model->link != SOFTMAX) return;
    for (int at = 0; at < model->classes; at++) most = scores[at] > most ? scores[at] : most;
    for (int at = 0; at < model->classes; at++) sum += scores[at] = exp(scores[at] - most);
    for (int at = 0; at < model->classes; at++) scores[at] /= sum;
}

/* Copies rows to a block of (features, lanes); unused lanes are 0. */
static void gather(const struct model *model, const double *x, int64_t down, int64_t across, int rows,
                   int lanes, double *block) {
    for (int feature = 0; feature < model->features; feature++) {
        const double *from = x + feature * across;
        double *to = block + feature * lanes;
        for (int i = 0; i < rows; i++) to[i] = from[i * down];
        for (int i = rows; i < lanes; i++) to[i] = 0;
    }
}

/* Scores rows: the value of a feature is x[row * down + feature * across]; `answer` is (rows, classes).
   Returns 0, or -1 if there is no memory; the memory needed does not depend on the number of rows. */
int score_rows(const struct model *model, const double *x, int64_t rows, int64_t down, int64_t across,
               double *answer) {
    const int classes = model->classes, most = model->ranked ? BLOCK : 1;
    const size_t values = (size_t)model->features * most + (size_t)classes * most;
    double *block = malloc(values * sizeof(double) + (size_t)model->ranked * BLOCK), *sums;
    if (!block) return -1;
    sums = block + (size_t)model->features * most;
    int8_t *ranks = (int8_t *)(block + values);
    for (int64_t first = 0; first < rows;) {
        int count = rows - first < most ? (int)(rows - first) : most;
        const int lanes = count <= MAX_SINGLE_ROWS ? 1 : count <= BLOCK / 2 ? SMALL_BLOCK : BLOCK;
        if (count > lanes) count = lanes;
        gather(model, x + first * down, down, across, count, lanes, block);
        for (int at = 0; at < classes * lanes; at++) sums[at] = 0;
        if (!model->ranked)
            walk(model, block, sums);
        else if (lanes == 1)
            score_block(model, block, 1, ranks, sums);
        else if (lanes == SMALL_BLOCK)
            score_block(model, block, SMALL_BLOCK, ranks, sums);
        else
            score_block(model, block, BLOCK, ranks, sums);
        for (int row = 0; row < count; row++) {
            double *scores = answer + (first + row) * classes;
            for (int at = 0; at < classes; at++) scores[at] = sums[at * lanes + row];
            transform(model, scores);
        }
        first += count;
    }
    free(block);
    return 0;
}
