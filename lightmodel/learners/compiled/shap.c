/* Explains rows: the SHAP values of a LightGBM model whose trees are tables, equal to LightGBM's TreeSHAP.

   Let each feature be known with probability t, independently of the others. At a node of a known feature a row
   goes its own way, otherwise left or right by the shares of the training rows. The SHAP value of a feature is the
   integral over t from 0 to 1 of how much the expected leaf grows when the feature becomes known (Owen 1972).
   For a tree the integrand is a polynomial in t of a degree below the number of distinct features on a path, so that
   a Gauss-Legendre rule of half as many points is exact. Two passes over the nodes evaluate it at a point:

     down: `left`, the probability of going left at a node, and `reach`, that of getting there;
     up:   `value`, the expected leaf below a node, and `gap`, that on its left less that on its right.

   When the feature of a node becomes known, `left` changes from the share to 1 or 0, a `step`, and the expected
   leaf by reach * step * gap. If the path met the feature before, t gives way to the probability that the feature
   is known to a row that got here; it is 0 unless the row itself goes the path's way at those nodes (`follows`).

   A vector holds rows at one point, or one row at several points. */

#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC optimize("fp-contract=fast")
#endif

#include <math.h>
#include <stdlib.h>

#include "trees.h"

#define LANES 4
#define WIDE 8                    /* vectors side by side: more would not fit in the fastest cache */
#define ROWS (WIDE * LANES)
#define MAX_SINGLE_ROWS (ROWS / 4) /* so few rows are explained one by one */

#define INLINE static inline __attribute__((always_inline))
#define EACH_VECTOR for (int i = 0; i < wide; i++)

typedef double vector __attribute__((vector_size(LANES * sizeof(double)), may_alias));

struct tree {
    const struct node *nodes;
    const struct share *shares;
    const double *leaves;
    int size;                     /* number of nodes */
    struct rule rule;
};

/* Memory for one tree: (nodes, wide). `reach` and `value` hold leaves as well, at their negative numbers. */
struct work {
    vector *step, *follows, *left, *total, *reach, *value;
};

/* Writes the steps at a node for rows whose values of its feature are x. */
INLINE void write_steps(const struct model *model, const struct node *node, double share, const double *x, int rows,
                        double *step) {
    if (node->flags & CATEGORICAL) {
        const uint32_t *set = model->sets + (int32_t)node->threshold;
        for (int i = 0; i < rows; i++) step[i] = in_set(set, node->words, x[i]) - share;
        return;
    }
    const double threshold = node->threshold, zero = node->flags & MISSING_ZERO ? ZERO : -1.0;
    const int counts_as_zero = !(node->flags & (MISSING_ZERO | MISSING_NAN));
    const int missing_left = counts_as_zero ? 0.0 <= threshold : (node->flags & DEFAULT_LEFT) != 0;
    for (int i = 0; i < rows; i++) {
        const int missing = isnan(x[i]) | (fabs(x[i]) <= zero);
        step[i] = ((missing & missing_left) | (!missing & (x[i] <= threshold))) - share;
    }
}

/* Writes 1 where a row goes the path's way at the node `before` and at those that it follows itself, else 0. */
INLINE void write_follows(const struct tree *tree, int before, int lanes, const struct work *work, double *follows) {
    const int node = before >> 1, right = before & 1, first = tree->shares[node].before < 0;
    const double *step = (const double *)work->step + node * lanes;
    const double *earlier = (const double *)work->follows + node * lanes;
    for (int i = 0; i < lanes; i++) follows[i] = (step[i] < 0) == right && (first || earlier[i] > 0) ? 1.0 : 0.0;
}

/* Prepares a tree for rows whose values are (features, rows); a single row fills all lanes. */
INLINE void prepare(const struct model *model, const struct tree *tree, const double *x, int rows, int wide,
                    const struct work *work) {
    const int lanes = wide * LANES;
    for (int at = 0; at < tree->size; at++) {
        const struct node *node = tree->nodes + at;
        const struct share *share = tree->shares + at;
        double *step = (double *)(work->step + at * wide);
        write_steps(model, node, share->left, x + (int64_t)node->feature * rows, rows, step);
        for (int i = rows; i < lanes; i++) step[i] = step[0];
        if (share->before >= 0)
            write_follows(tree, share->before, lanes, work, (double *)(work->follows + at * wide));
        EACH_VECTOR work->total[at * wide + i] = (vector){0};
    }
    for (int leaf = 0; leaf <= tree->size; leaf++)
        EACH_VECTOR work->value[~leaf * wide + i] = (vector){0} + tree->leaves[leaf];
}

INLINE void pass_down(const struct tree *tree, const vector t, const vector weight, int wide, const struct work *work) {
    EACH_VECTOR work->reach[i] = weight;
    for (int at = 0; at < tree->size; at++) {
        const struct node *node = tree->nodes + at;
        const struct share *share = tree->shares + at;
        const vector *step = work->step + at * wide, *follows = work->follows + at * wide;
        const vector *reach = work->reach + at * wide;
        vector *left = work->left + at * wide;
        vector *on_left = work->reach + node->left * wide, *on_right = work->reach + node->right * wide;
        if (share->before < 0) {
            EACH_VECTOR left[i] = share->left + t * step[i];
        } else {
            const vector known = t / (t + share->above * (1 - t));
            EACH_VECTOR left[i] = share->left + follows[i] * known * step[i];
        }
        EACH_VECTOR {
            const vector here = reach[i], part = here * left[i];
            on_left[i] = part;
            on_right[i] = here - part;
        }
    }
}

INLINE void pass_up(const struct tree *tree, const vector t, int wide, const struct work *work) {
    for (int at = tree->size - 1; at >= 0; at--) {
        const struct node *node = tree->nodes + at;
        const struct share *share = tree->shares + at;
        const vector *step = work->step + at * wide, *follows = work->follows + at * wide;
        const vector *reach = work->reach + at * wide, *left = work->left + at * wide;
        const vector *on_left = work->value + node->left * wide, *on_right = work->value + node->right * wide;
        vector *value = work->value + at * wide, *total = work->total + at * wide;
        if (share->before < 0) {
            EACH_VECTOR {
                const vector right = on_right[i], gap = on_left[i] - right;
                total[i] += reach[i] * step[i] * gap;
                value[i] = right + left[i] * gap;
            }
        } else { /* the factor is what a known feature adds to `left` and to the `reach` of this path together */
            const vector met = t + share->above * (1 - t), factor = share->above / (met * met);
            EACH_VECTOR {
                const vector right = on_right[i], gap = on_left[i] - right;
                total[i] += reach[i] * step[i] * gap * follows[i] * factor;
                value[i] = right + left[i] * gap;
            }
        }
    }
}

/* Adds a tree's SHAP values of ROWS rows to sums; x and sums are (features, ROWS). */
static void explain_many(const struct model *model, const struct tree *tree, const double *x,
                         const struct work *work, double *sums) {
    const struct point *points = model->points + tree->rule.start;
    prepare(model, tree, x, ROWS, WIDE, work);
    for (int at = 0; at < tree->rule.count; at++) {
        const vector t = (vector){0} + points[at].known, weight = (vector){0} + points[at].weight;
        pass_down(tree, t, weight, WIDE, work);
        pass_up(tree, t, WIDE, work);
    }
    for (int at = 0; at < tree->size; at++) {
        vector *sum = (vector *)(sums + (int64_t)tree->nodes[at].feature * ROWS);
        for (int i = 0; i < WIDE; i++) sum[i] += work->total[at * WIDE + i];
    }
}

/* Adds a tree's SHAP values of one row to sums; x and sums are (features). */
static void explain_one(const struct model *model, const struct tree *tree, const double *x,
                        const struct work *work, double *sums) {
    const struct point *points = model->points + tree->rule.start;
    const int count = tree->rule.count;
    prepare(model, tree, x, 1, 1, work);
    for (int first = 0; first < count; first += LANES) {
        vector t, weight; /* lanes that are left over repeat a point, without weight */
        for (int i = 0; i < LANES; i++) {
            t[i] = points[first + i < count ? first + i : first].known;
            weight[i] = first + i < count ? points[first + i].weight : 0.0;
        }
        pass_down(tree, t, weight, 1, work);
        pass_up(tree, t, 1, work);
    }
    for (int at = 0; at < tree->size; at++) {
        const vector total = work->total[at];
        sums[tree->nodes[at].feature] += (total[0] + total[1]) + (total[2] + total[3]);
    }
}

static struct tree tree_of(const struct model *model, int at) {
    const int first = model->first_node[at];
    return (struct tree){model->nodes + first, model->shares + first, model->leaves + model->first_leaf[at],
                         model->first_node[at + 1] - first, model->rules[at]};
}

/* Explains the first `count` of `lanes` rows, 1 or ROWS; x is (features, lanes) and sums (outputs, lanes). */
static void explain_block(const struct model *model, const double *x, int count, int lanes,
                          const struct work *work, double *sums, double *answer) {
    const int width = model->features + 1, outputs = model->classes * width;
    for (int at = 0; at < outputs * lanes; at++) sums[at] = 0.0;
    for (int at = 0; at < model->trees; at++) {
        const struct tree tree = tree_of(model, at);
        double *of_class = sums + at % model->classes * width * lanes;
        if (lanes == 1)
            explain_one(model, &tree, x, work, of_class);
        else
            explain_many(model, &tree, x, work, of_class);
    }
    for (int row = 0; row < count; row++, answer += outputs) {
        for (int at = 0; at < outputs; at++) answer[at] = sums[at * lanes + row];
        for (int at = 0; at < model->classes; at++) answer[(at + 1) * width - 1] = model->expected[at];
    }
}

/* Explains rows: the value of a feature is x[row * down + feature * across]; `answer` is (rows, classes,
   features + 1), the expected raw score in the last place. Returns 0, or -1 if there is no memory; the memory needed
   does not depend on the number of rows. */
int explain_rows(const struct model *model, const double *x, int64_t rows, int64_t down, int64_t across,
                 double *answer) {
    const int features = model->features, outputs = model->classes * (features + 1);
    int most = 1; /* leaves */
    for (int at = 0; at < model->trees; at++) {
        const int leaves = model->first_leaf[at + 1] - model->first_leaf[at];
        most = leaves > most ? leaves : most;
    }
    const size_t array = (size_t)most * WIDE, block = (size_t)(features + outputs) * WIDE;
    vector *memory = aligned_alloc(sizeof(vector), (8 * array + block) * sizeof(vector)), *next = memory;
    if (!memory) return -1;
    const struct work work = {next, next + array, next + 2 * array, next + 3 * array, next + 5 * array, next + 7 * array};
    double *values = (double *)(memory + 8 * array), *sums = values + (size_t)features * ROWS;
    for (int64_t first = 0; first < rows;) {
        const int lanes = rows - first <= MAX_SINGLE_ROWS ? 1 : ROWS;
        const int count = rows - first < lanes ? (int)(rows - first) : lanes;
        for (int feature = 0; feature < features; feature++)
            for (int i = 0; i < lanes; i++)
                values[feature * lanes + i] = i < count ? x[(first + i) * down + feature * across] : 0.0;
        explain_block(model, values, count, lanes, &work, sums, answer + first * outputs);
        first += count;
    }
    free(memory);
    return 0;
}
