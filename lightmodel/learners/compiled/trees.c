/* Scores rows with a LightGBM model whose trees are tables.

   Whichever way is taken, the leaves' values are added in LightGBM's order, so that sums are LightGBM's to the
   last bit.

   `strike` takes 128 rows side by side. A value becomes its rank among the thresholds of its feature, so that
   "x <= threshold" compares two bytes; what LightGBM does with missing values, zeros and categories is settled
   there as well, by columns of ranks of their own. A node that sends a row to the right strikes out the leaves on
   its left, and the first leaf that remains is the row's (QuickScorer, Lucchese et al. 2015). A tree's leaves are
   dealt with eight at a time: one byte a row. No branch depends on a value, so the compiler makes vector
   instructions of every loop over rows.

   `walk` follows one row from node to node. It takes the trees that are too big for `strike`. */

#if defined(__GNUC__) && !defined(__clang__)
/* It would interleave tests instead of rows, and give up vectors: four times slower. */
#pragma GCC optimize("no-loop-unroll-and-jam")
#endif

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK 128
#define FEW 32                /* up to half a block is dealt with in such parts, and */
#define SINGLY 2              /* so few rows one by one */
#define MOST_EIGHTS 32       /* 256 leaves: a leaf's number fits a byte */
#define ZERO ((double)1e-35f) /* what LightGBM takes for zero */

enum flag { CATEGORICAL = 1, DEFAULT_LEFT = 2, MISSING_ZERO = 4, MISSING_NAN = 8 };
enum kind { NUMBER, NUMBER_ZERO_MISSING, CATEGORY };
enum link { IDENTITY, SIGMOID, SOFTMAX };

struct node {
    double threshold;             /* of a categorical node: where its set starts */
    int32_t feature, left, right; /* a child below 0 is a leaf: ~child */
    int16_t flags, words;         /* words: length of its set */
};

struct column {                   /* of ranks */
    int32_t feature, start, count; /* of thresholds: 2^count - 1; of a set: words */
    int16_t kind, missing;        /* missing: the rank of a missing value */
};

struct test {                     /* a row whose rank is not below the bound keeps only the leaves `stays` */
    uint16_t column;
    int8_t bound;
    uint8_t stays;
};

struct model {
    int32_t trees, classes, features, link;
    int32_t ranked, unused;       /* number of columns of ranks; 0: `walk` only */
    double steepness, divisor;    /* of the sigmoid; of the sums */
    const int32_t *first_node;    /* of each tree, and the end */
    const int32_t *first_leaf;
    const int32_t *first_eight;
    const int32_t *first_test;    /* of each eight, and the end */
    const struct node *nodes;
    const double *leaves;         /* of each tree, from left to right */
    const uint32_t *sets;
    const struct column *columns;
    const double *thresholds;     /* of each column, ascending, filled up with infinity */
    const struct test *tests;
};

static int in_set(const uint32_t *set, int words, double x) {
    if (!(x > -1.0 && x < 32.0 * words)) return 0; /* nor is NaN */
    int32_t value = (int32_t)x;
    return set[value >> 5] >> (value & 31) & 1;
}

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

/* Counts the thresholds below each number. */
static inline void rank_numbers(const struct model *model, const struct column *column, const double *x,
                                int lanes, int8_t *ranks) {
    const double *thresholds = model->thresholds + column->start;
    const double zero = column->kind == NUMBER_ZERO_MISSING ? ZERO : -1.0;
    int32_t found[BLOCK];
    for (int i = 0; i < lanes; i++) found[i] = 0;
    for (int step = column->count - 1; step >= 0; step--)
        for (int i = 0; i < lanes; i++)
            found[i] += (thresholds[found[i] + (1 << step) - 1] < x[i]) << step;
    for (int i = 0; i < lanes; i++)
        ranks[i] = (int8_t)(isnan(x[i]) || fabs(x[i]) <= zero ? column->missing : found[i] - 128);
}

static inline void rank_categories(const struct model *model, const struct column *column, const double *x,
                                   int lanes, int8_t *ranks) {
    const uint32_t *set = model->sets + column->start;
    for (int i = 0; i < lanes; i++) ranks[i] = (int8_t)!in_set(set, column->count, x[i]);
}

/* Writes the number of each row's first leaf that is not struck out; `left` is (eights, lanes). */
static inline void first_left(const uint8_t *left, int eights, int lanes, uint8_t *leaf) {
    for (int i = 0; i < lanes; i++) leaf[i] = 0;
    for (int eight = eights - 1; eight >= 0; eight--)
        for (int i = 0; i < lanes; i++) {
            uint8_t all = left[eight * lanes + i], low = all & (uint8_t)-all;
            uint8_t bit = (uint8_t)(((low & 0xaa) ? 1 : 0) | ((low & 0xcc) ? 2 : 0) | ((low & 0xf0) ? 4 : 0));
            leaf[i] = all ? (uint8_t)(eight * 8 + bit) : leaf[i];
        }
}

/* Adds up the trees for rows whose ranks are (columns, lanes); sums are (classes, lanes). */
static inline __attribute__((always_inline)) void strike(const struct model *model, const int8_t *ranks,
                                                         const int lanes, double *sums) {
    uint8_t left[MOST_EIGHTS * BLOCK], leaf[BLOCK];
    for (int tree = 0; tree < model->trees; tree++) {
        const int first = model->first_eight[tree], eights = model->first_eight[tree + 1] - first;
        for (int eight = 0; eight < eights; eight++) {
            uint8_t some[BLOCK];
            const struct test *test = model->tests + model->first_test[first + eight];
            const struct test *end = model->tests + model->first_test[first + eight + 1];
            for (int i = 0; i < lanes; i++) some[i] = 0xff;
            for (; test < end; test++) {
                const int8_t *own = ranks + test->column * lanes, bound = test->bound;
                const uint8_t stays = test->stays;
                for (int i = 0; i < lanes; i++) some[i] &= (own[i] < bound ? 0xff : 0) | stays;
            }
            memcpy(left + eight * lanes, some, (size_t)lanes);
        }
        first_left(left, eights, lanes, leaf);
        const double *leaves = model->leaves + model->first_leaf[tree];
        double *sum = sums + tree % model->classes * lanes;
        for (int i = 0; i < lanes; i++) sum[i] += leaves[leaf[i]];
    }
}

/* `strike` for one row; no branch on what is left, which the processor would guess wrong. */
static void strike_one(const struct model *model, const int8_t *ranks, double *sums) {
    for (int tree = 0; tree < model->trees; tree++) {
        const int first = model->first_eight[tree];
        uint32_t leaf = 0;
        for (int eight = model->first_eight[tree + 1] - first - 1; eight >= 0; eight--) {
            const struct test *test = model->tests + model->first_test[first + eight];
            const struct test *end = model->tests + model->first_test[first + eight + 1];
            uint32_t some = 0xff;
            for (; test < end; test++)
                some &= -(uint32_t)(ranks[test->column] < test->bound) | test->stays;
            const uint32_t own = (uint32_t)(eight * 8 + __builtin_ctz(some | 0x100));
            const uint32_t none = ((some + 0xff) >> 8) - 1; /* all bits, if nothing is left */
            leaf = (leaf & none) | (own & ~none);
        }
        sums[tree % model->classes] += model->leaves[model->first_leaf[tree] + leaf];
    }
}

/* Scores at most `lanes` rows; x is (features, lanes). */
static inline __attribute__((always_inline)) void score_block(const struct model *model, const double *x,
                                                              const int lanes, int8_t *ranks, double *sums) {
    for (int at = 0; at < model->ranked; at++) {
        const struct column *column = model->columns + at;
        const double *own = x + column->feature * lanes;
        if (column->kind == CATEGORY)
            rank_categories(model, column, own, lanes, ranks + at * lanes);
        else
            rank_numbers(model, column, own, lanes, ranks + at * lanes);
    }
    if (lanes == 1)
        strike_one(model, ranks, sums);
    else
        strike(model, ranks, lanes, sums);
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

/* Brings rows together as (features, lanes); what is left over of the lanes is 0. */
static void gather(const struct model *model, const double *x, int64_t down, int64_t across, int rows,
                   int lanes, double *block) {
    for (int feature = 0; feature < model->features; feature++) {
        const double *from = x + feature * across;
        double *to = block + feature * lanes;
        for (int i = 0; i < rows; i++) to[i] = from[i * down];
        for (int i = rows; i < lanes; i++) to[i] = 0;
    }
}

/* Scores rows: the value of a feature is x[row * down + feature * across]; the answer is (rows, classes).
   Gives 0, or -1 when there is no memory; what it needs does not grow with the rows. */
int score_rows(const struct model *model, const double *x, int64_t rows, int64_t down, int64_t across,
               double *answer) {
    const int classes = model->classes, most = model->ranked ? BLOCK : 1;
    const size_t values = (size_t)model->features * most + (size_t)classes * most;
    double *block = malloc(values * sizeof(double) + (size_t)model->ranked * BLOCK), *sums;
    if (!block) return -1;
    sums = block + (size_t)model->features * most;
    int8_t *ranks = (int8_t *)(block + values);
    for (int64_t first = 0; first < rows;) {
        int here = rows - first < most ? (int)(rows - first) : most;
        const int lanes = here <= SINGLY ? 1 : here <= BLOCK / 2 ? FEW : BLOCK;
        if (here > lanes) here = lanes;
        gather(model, x + first * down, down, across, here, lanes, block);
        for (int at = 0; at < classes * lanes; at++) sums[at] = 0;
        if (!model->ranked)
            walk(model, block, sums);
        else if (lanes == 1)
            score_block(model, block, 1, ranks, sums);
        else if (lanes == FEW)
            score_block(model, block, FEW, ranks, sums);
        else
            score_block(model, block, BLOCK, ranks, sums);
        for (int row = 0; row < here; row++) {
            double *scores = answer + (first + row) * classes;
            for (int at = 0; at < classes; at++) scores[at] = sums[at * lanes + row];
            transform(model, scores);
        }
        first += here;
    }
    free(block);
    return 0;
}
