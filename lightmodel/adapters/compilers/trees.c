/* Scores of a LightGBM model whose trees are tables.

Two ways, one answer: both add the leaves' values in LightGBM's order, so sums are LightGBM's to the last bit.

- `walk` follows one row through every tree, by LightGBM's own rules for whatever there is: missing values,
  zeros, categories.
- `score_block` takes rows side by side. A number becomes its rank among the thresholds of its feature, so that
  "x <= threshold" is a comparison of small integers. A node that sends a row to the right strikes out the leaves
  on its left; the lowest leaf that remains is the row's (QuickScorer, Lucchese et al. 2015). No branch depends on
  the data, and the compiler turns every loop over rows into vector instructions. */

#include <math.h>
#include <stdint.h>

#define BLOCK 64
#define FEW 8
#define ZERO ((double)1e-35f) /* LightGBM's kZeroThreshold */

enum flag { CATEGORICAL = 1, DEFAULT_LEFT = 2, MISSING = 12, MISSING_ZERO = 4, MISSING_NAN = 8 };
enum link { IDENTITY, SIGMOID, SOFTMAX };

struct node {
    double threshold;  /* or the place of a category's bits */
    int32_t feature, left, right;  /* children below 0 are leaves: ~leaf */
    uint32_t flags;
};

struct test { /* of a node, for score_block */
    uint16_t feature;
    int16_t rank;   /* the row goes right if its rank is greater */
    uint32_t stays; /* the leaves that remain then */
};

struct model {
    int32_t trees, classes, features, link;
    double steepness;             /* of the sigmoid */
    const int32_t *first_node;    /* of each tree, and one behind the last */
    const int32_t *first_leaf;
    const struct node *nodes;
    const double *leaves;
    const int32_t *bits_start;    /* of each category set, and one behind the last */
    const uint32_t *bits;
    int32_t ranked;               /* whether score_block can take this model */
    int32_t steps;                /* of the search for a rank; each feature has 2^steps - 1 thresholds */
    const struct test *tests;     /* in the order of the nodes */
    const double *ordered_leaves; /* of each tree from left to right */
    const double *thresholds;     /* of each feature, ascending, filled up with infinity */
};

/* LightGBM leaves values this near to zero out of a row before any tree sees them. */
static inline double settled(double x) { return x >= -ZERO && x <= ZERO ? 0.0 : x; }

static int goes_left(const struct model *model, const struct node *node, double x) {
    if (node->flags & CATEGORICAL) {
        if (!(x > -1 && x < 2147483648.0)) return 0; /* NaN too */
        int32_t value = (int32_t)x, set = (int32_t)node->threshold, start = model->bits_start[set];
        if (value / 32 >= model->bits_start[set + 1] - start) return 0;
        return (model->bits[start + value / 32] >> (value % 32)) & 1;
    }
    uint32_t missing = node->flags & MISSING;
    if (isnan(x) && missing != MISSING_NAN) x = 0.0;
    if ((missing == MISSING_ZERO && x == 0.0) || (missing == MISSING_NAN && isnan(x)))
        return (node->flags & DEFAULT_LEFT) != 0;
    return x <= node->threshold;
}

static void walk(const struct model *model, const double *x, int64_t across, double *sums) {
    for (int tree = 0; tree < model->trees; tree++) {
        const struct node *nodes = model->nodes + model->first_node[tree];
        int at = model->first_node[tree + 1] > model->first_node[tree] ? 0 : -1;
        while (at >= 0) {
            const struct node *node = nodes + at;
            at = goes_left(model, node, settled(x[node->feature * across])) ? node->left : node->right;
        }
        sums[tree % model->classes] += model->leaves[model->first_leaf[tree] + ~at];
    }
}

/* Counts the thresholds below each x, for `lanes` rows at once. */
static inline void rank(const double *thresholds, int steps, const double *x, int lanes, int16_t *ranks) {
    int32_t found[BLOCK] = {0};
    for (int step = steps - 1; step >= 0; step--)
        for (int i = 0; i < lanes; i++)
            found[i] += (thresholds[found[i] + (1 << step) - 1] < x[i]) << step;
    for (int i = 0; i < lanes; i++) ranks[i] = (int16_t)found[i];
}

/* Strikes out the leaves of one tree that no row can reach, and adds what remains. */
static inline void add_tree(const struct model *restrict model, int tree, int lanes,
                            const int16_t *restrict ranks, double *restrict sums) {
    uint32_t left[BLOCK];
    int32_t last = model->first_node[tree + 1];
    for (int i = 0; i < lanes; i++) left[i] = UINT32_MAX;
    for (int32_t at = model->first_node[tree]; at < last; at++) {
        const struct test test = model->tests[at];
        const int16_t *restrict own = ranks + test.feature * lanes;
        for (int i = 0; i < lanes; i++) left[i] &= test.stays | -(uint32_t)(own[i] <= test.rank);
    }
    const double *leaves = model->ordered_leaves + model->first_leaf[tree];
    for (int i = 0; i < lanes; i++) sums[i] += leaves[__builtin_ctz(left[i])];
}

static inline __attribute__((always_inline)) void score_block(
    const struct model *model, const double *x, int64_t down, int64_t across, int rows, int lanes,
    int16_t *ranks, double *sums) {
    double column[BLOCK] = {0};
    for (int feature = 0; feature < model->features; feature++) {
        for (int i = 0; i < rows; i++) column[i] = settled(x[i * down + feature * across]);
        rank(model->thresholds + ((int64_t)feature << model->steps), model->steps, column, lanes,
             ranks + feature * lanes);
    }
    for (int tree = 0; tree < model->trees; tree++)
        add_tree(model, tree, lanes, ranks, sums + tree % model->classes * lanes);
}

static void transform(const struct model *model, double *scores) {
    if (model->link == SIGMOID)
        for (int at = 0; at < model->classes; at++)
            scores[at] = 1.0 / (1.0 + exp(-model->steepness * scores[at]));
    if (model->link != SOFTMAX) return;
    double most = scores[0], sum = 0;
    for (int at = 1; at < model->classes; at++) most = scores[at] > most ? scores[at] : most;
    for (int at = 0; at < model->classes; at++) sum += scores[at] = exp(scores[at] - most);
    for (int at = 0; at < model->classes; at++) scores[at] /= sum;
}

static int holds_nan(const struct model *model, const double *x, int64_t across) {
    int found = 0;
    for (int at = 0; at < model->features; at++) found |= isnan(x[at * across]);
    return found;
}

/* Scores rows: x + row * down + feature * across (in doubles) is a value; answer is (rows, classes).

room: for the ranks, features * BLOCK of them; sums: for classes * BLOCK numbers. */
void score_rows(const struct model *model, const double *x, int64_t rows, int64_t down, int64_t across,
                double *answer, int16_t *room, double *sums) {
    int classes = model->classes;
    for (int64_t first = 0; first < rows; first += BLOCK) {
        int here = rows - first < BLOCK ? (int)(rows - first) : BLOCK;
        int lanes = here <= FEW ? FEW : BLOCK;
        const double *block = x + first * down;
        for (int at = 0; at < classes * lanes; at++) sums[at] = 0;
        if (model->ranked && lanes == FEW)
            score_block(model, block, down, across, here, FEW, room, sums);
        else if (model->ranked)
            score_block(model, block, down, across, here, BLOCK, room, sums);
        for (int row = 0; row < here; row++) {
            double *scores = answer + (first + row) * classes;
            const double *own = block + row * down;
            int walks = !model->ranked || holds_nan(model, own, across);
            for (int at = 0; at < classes; at++) scores[at] = walks ? 0 : sums[at * lanes + row];
            if (walks) walk(model, own, across, scores);
            transform(model, scores);
        }
    }
}
