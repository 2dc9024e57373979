/* A LightGBM model whose trees are tables: what trees.c scores with and shap.c explains. */

#ifndef LIGHTMODEL_TREES_H
#define LIGHTMODEL_TREES_H

#include <stdint.h>

#define ZERO ((double)1e-35f) /* LightGBM treats smaller absolute values as zero */

enum flag { CATEGORICAL = 1, DEFAULT_LEFT = 2, MISSING_ZERO = 4, MISSING_NAN = 8 };
enum kind { NUMBER, NUMBER_ZERO_MISSING, CATEGORY };
enum link { IDENTITY, SIGMOID, SOFTMAX };

struct node {
    double threshold;             /* of a categorical node: the start of its set */
    int32_t feature, left, right; /* a negative child is the leaf ~child */
    int16_t flags, words;         /* words: length of the set */
};

struct column {                   /* of ranks */
    int32_t feature, start, count; /* of thresholds: 2^count - 1; of a set: words */
    int16_t kind, missing;        /* missing: the rank of a missing value */
};

struct test {                     /* if the rank of a row is not below the bound, only the leaves in the mask remain */
    uint16_t column;
    int8_t bound;
    uint8_t mask;
};

struct share {                    /* of the training rows at a node */
    double left;                  /* of them, those that go left */
    double above;                 /* of all, those that go this path's way at the earlier nodes of the same feature */
    int32_t before;               /* the last of these: 2 * node, + 1 if the path goes right there; -1 if there is none */
    int32_t unused;
};

struct rule {                     /* of quadrature */
    int32_t start, count;         /* of its points */
};

struct point {
    double known, weight;         /* known: the probability that a feature is known */
};

struct model {
    int32_t trees, classes, features, link;
    int32_t ranked, explained;    /* number of columns of ranks, 0: `walk` only; whether the last four tables are there */
    double steepness, divisor;    /* of the sigmoid; of the sums */
    const int32_t *first_node;    /* of each tree, and the end */
    const int32_t *first_leaf;
    const int32_t *first_leaf_byte;
    const int32_t *first_test;    /* of each byte of leaves, and the end */
    const struct node *nodes;
    const double *leaves;         /* of each tree, from left to right */
    const uint32_t *sets;
    const struct column *columns;
    const double *thresholds;     /* of each column, ascending, padded with infinity */
    const struct test *tests;
    const struct share *shares;   /* of each node */
    const struct rule *rules;     /* of each tree */
    const struct point *points;
    const double *expected;       /* raw score of each class if no feature is known */
};

static inline int in_set(const uint32_t *set, int words, double x) {
    if (!(x > -1.0 && x < 32.0 * words)) return 0; /* NaN is in no set */
    int32_t value = (int32_t)x;
    return set[value >> 5] >> (value & 31) & 1;
}

#endif
