/* Rows of a CSV text as numbers: one pass, no allocation, in the rules of domain/enforcement.py.

A cell is an optional sign, digits, a decimal mark, digits and an exponent; blanks around it do not count.
What means "no value" becomes NOT_THERE, what is no number NOT_A_NUMBER, and all of a row with too few or too
many cells IN_NO_ROW: three NaNs that Python tells apart. */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define NOT_THERE 0x7ff8000000000000u
#define NOT_A_NUMBER 0x7ff8000000000001u
#define IN_NO_ROW 0x7ff8000000000002u
#define LONGEST_NUMBER 400

enum kind { IGNORED, NUMBER, BOOLEAN, TEXT };

struct layout {
    char delimiter, quote, decimal, missing_separator;
    int32_t cells;           /* in a row */
    int32_t width;           /* numbers in a row of the answer */
    int32_t texts;           /* texts in a row of the answer */
    const uint8_t *kinds;    /* of each cell */
    const int32_t *places;   /* of each cell among the numbers, or among the texts */
    const char *missing;     /* each followed by the separator */
};

struct outcome {
    int64_t rows;
    int64_t consumed;  /* bytes of whole rows */
    int64_t ragged;    /* rows with another number of cells */
};

struct cell {
    const char *start, *end;  /* without quotes and blanks */
    int doubled;              /* whether it holds doubled quotes */
    int broken;               /* whether something but blanks stands behind its closing quote */
};

static const double TENS[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                              1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};

static int is_digit(char c) { return (unsigned char)(c - '0') < 10; }

static int is_blank(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

static void put(double *to, uint64_t bits) { memcpy(to, &bits, sizeof bits); }

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
static const uint64_t POWERS[] = {1, 10, 100, 1000, 10000, 100000, 1000000, 10000000};

#define LONGEST_SHORT 20 /* bytes that short_number may look at */

/* Takes eight bytes, and counts the digits at their beginning; 8 means all of them, or more. */
static inline int digits_in(const char *p, uint64_t *values) {
    memcpy(values, p, sizeof *values);
    *values ^= UINT64_C(0x3030303030303030);
    uint64_t other = ((*values + UINT64_C(0x7676767676767676)) | *values) & UINT64_C(0x8080808080808080);
    return other ? __builtin_ctzll(other) >> 3 : 8;
}

/* Gives the number that the first so many of eight digits make, without a loop. */
static inline uint64_t joined(uint64_t values, int digits) {
    if (!digits) return 0;
    values <<= 8 * (8 - digits);
    values = values * 10 + (values >> 8);
    return ((values & UINT64_C(0xff000000ff)) * UINT64_C(0xf424000000064) +
            ((values >> 16) & UINT64_C(0xff000000ff)) * UINT64_C(0x271000000001)) >> 32;
}

/* Reads a number of at most seven digits before and seven behind the mark, as nearly all are, without a branch
for each digit: they are too many to be predicted. NULL where it is another. */
static inline const char *short_number(const char *p, char decimal, double *value) {
    uint64_t values, behind = 0;
    int negative = *p == '-', digits = digits_in(p += negative, &values), more = 0;
    if (digits == 0 || digits == 8) return NULL;
    p += digits;
    uint64_t whole = joined(values, digits);
    if (*p == decimal) {
        more = digits_in(++p, &behind);
        if (more == 8) return NULL;
        p += more;
    }
    double size = (double)(int64_t)(whole * POWERS[more] + joined(behind, more)) / TENS[more];
    uint64_t bits;
    memcpy(&bits, &size, sizeof bits);
    put(value, bits | (uint64_t)negative << 63);
    return p;
}
#endif

/* Reads digits, and counts those behind the mark; exact as long as there are at most 19. */
static const char *mantissa(const char *p, char decimal, uint64_t *value, int *digits, int *behind) {
    for (; is_digit(*p); p++, ++*digits) *value = *value * 10 + (uint64_t)(*p - '0');
    if (*p != decimal) return p;
    const char *mark = ++p;
    for (; is_digit(*p); p++, ++*digits) *value = *value * 10 + (uint64_t)(*p - '0');
    *behind = (int)(p - mark);
    return p;
}

/* Reads an exponent, if there is one; NULL if it has no digits. */
static const char *exponent(const char *p, int *power) {
    if (*p != 'e' && *p != 'E') return p;
    p++;
    int negative = *p == '-', value = 0;
    if (*p == '-' || *p == '+') p++;
    if (!is_digit(*p)) return NULL;
    for (; is_digit(*p); p++)
        if (value < 100000) value = value * 10 + (*p - '0');
    *power = negative ? -value : value;
    return p;
}

/* Reads a number; gives where it ends, or NULL when there is none. *exact says whether *value is right. */
static const char *number(const char *p, char decimal, double *value, int *exact) {
    int negative = *p == '-', digits = 0, behind = 0, power = 0;
    uint64_t whole = 0;
    if (*p == '-' || *p == '+') p++;
    p = mantissa(p, decimal, &whole, &digits, &behind);
    if (!digits || !(p = exponent(p, &power))) return NULL;
    power -= behind;
    *exact = digits <= 19 && whole <= (UINT64_C(1) << 53) && power >= -22 && power <= 22;
    if (*exact) {
        double size = power < 0 ? (double)whole / TENS[-power] : (double)whole * TENS[power];
        *value = negative ? -size : size;
    }
    return p;
}

/* Reads what the fast way cannot; correctly rounded, as the C library does it. */
static double slow_number(const char *start, const char *end, char decimal) {
    char copy[LONGEST_NUMBER + 1];
    size_t length = (size_t)(end - start);
    memcpy(copy, start, length);
    copy[length] = 0;
    char *mark = decimal == '.' ? NULL : memchr(copy, decimal, length);
    if (mark) *mark = '.';
    return strtod(copy, NULL);
}

static int is_missing(const struct layout *layout, struct cell cell) {
    size_t length = (size_t)(cell.end - cell.start);
    if (!length) return 1;
    for (const char *token = layout->missing; *token;) {
        const char *stop = strchr(token, layout->missing_separator);
        if ((size_t)(stop - token) == length && !memcmp(token, cell.start, length)) return 1;
        token = stop + 1;
    }
    return 0;
}

static void put_number(const struct layout *layout, struct cell cell, double *to) {
    int exact = 0;
    if (is_missing(layout, cell)) {
        put(to, NOT_THERE);
        return;
    }
    const char *end = cell.doubled ? NULL : number(cell.start, layout->decimal, to, &exact);
    if (end != cell.end || (!exact && end - cell.start > LONGEST_NUMBER))
        put(to, NOT_A_NUMBER);
    else if (!exact)
        *to = slow_number(cell.start, end, layout->decimal);
}

static int is_word(struct cell cell, const char *const *words) {
    size_t length = (size_t)(cell.end - cell.start);
    for (; *words; words++)
        if (strlen(*words) == length && !memcmp(*words, cell.start, length)) return 1;
    return 0;
}

static void put_boolean(const struct layout *layout, struct cell cell, double *to) {
    static const char *const yes[] = {"true", "True", "TRUE", "1", NULL};
    static const char *const no[] = {"false", "False", "FALSE", "0", NULL};
    if (is_missing(layout, cell)) put(to, NOT_THERE);
    else if (is_word(cell, yes)) *to = 1.0;
    else if (is_word(cell, no)) *to = 0.0;
    else put(to, NOT_A_NUMBER);
}

/* Finds a cell's content, and where it stops: at a delimiter, a line's end or the text's end. */
static const char *find_cell(const struct layout *layout, const char *p, const char *end, struct cell *cell) {
    const char *start = p, *inner = p;
    cell->doubled = cell->broken = 0;
    while (inner < end && (*inner == ' ' || *inner == '\t') && *inner != layout->delimiter) inner++;
    if (inner < end && *inner == layout->quote) {
        const char *close = ++inner;
        while (close < end && (*close != layout->quote || (close + 1 < end && close[1] == layout->quote))) {
            if (*close == layout->quote) { cell->doubled = 1; close++; }
            close++;
        }
        if (close >= end) return NULL;
        start = inner;
        cell->end = close;
        for (p = close + 1; p < end && *p != layout->delimiter && *p != '\n' && *p != '\r'; p++)
            cell->broken |= !is_blank(*p);
    } else {
        for (p = inner; p < end && *p != layout->delimiter && *p != '\n' && *p != '\r';) p++;
        cell->end = p;
    }
    while (start < cell->end && is_blank(*start)) start++;
    while (start < cell->end && is_blank(cell->end[-1])) cell->end--;
    cell->start = start;
    return p;
}

static const char *read_cell(const struct layout *layout, const char *p, const char *end, int at,
                             double *numbers, int64_t *spans, const char *text, int *broken) {
    int kind = at < layout->cells ? layout->kinds[at] : IGNORED;
    struct cell cell;
    if (kind == NUMBER) {
        int exact = 0;
        double *to = numbers + layout->places[at];
        const char *stop = NULL;
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
        if (end - p > LONGEST_SHORT) stop = short_number(p, layout->decimal, to);
        if (stop && (*stop == layout->delimiter || *stop == '\n')) return stop;
#endif
        stop = number(p, layout->decimal, to, &exact);
        if (stop && exact && stop < end && (*stop == layout->delimiter || *stop == '\n' || *stop == '\r'))
            return stop;
    }
    p = find_cell(layout, p, end, &cell);
    *broken |= p && cell.broken;
    if (!p || kind == IGNORED) return p;
    if (kind == NUMBER) put_number(layout, cell, numbers + layout->places[at]);
    else if (kind == BOOLEAN) put_boolean(layout, cell, numbers + layout->places[at]);
    else {
        int64_t *span = spans + 2 * layout->places[at], length = cell.end - cell.start;
        span[0] = cell.start - text;
        span[1] = cell.doubled ? -length : length;
    }
    return p;
}

static void blot(const struct layout *layout, double *numbers, int64_t *spans) {
    for (int at = 0; at < layout->width; at++) put(numbers + at, IN_NO_ROW);
    for (int at = 0; at < 2 * layout->texts; at++) spans[at] = -1;
}

/* Steps over a line's end; NULL when the text may go on with the second half of it. */
static const char *next_line(const char *p, const char *end, int final) {
    if (p >= end) return final ? end : NULL;
    if (*p == '\r') {
        if (p + 1 >= end) return final ? end : NULL;
        return p + (p[1] == '\n' ? 2 : 1);
    }
    return p + 1;
}

static const char *skip_blank_lines(const char *p, const char *end, char delimiter) {
    for (const char *q = p; q < end; q++) {
        if (*q == '\n' || *q == '\r') p = q + 1;
        else if ((*q != ' ' && *q != '\t' && *q != 0x1a) || *q == delimiter) return p;
    }
    return p;
}

/* Reads whole rows from a text of so many bytes, which a zero byte follows, until the answer is full.

numbers: (capacity, width), row by row; spans: (capacity, texts, 2), start and length of each text; the length
is negative where quotes are doubled, the start in a row of another number of cells. final: no more text comes. Gives 0, or 1 when a quote is never closed, or in the middle of a cell. */
int read_rows(const struct layout *layout, const char *text, int64_t length, int final, double *numbers,
              int64_t *spans, int64_t capacity, struct outcome *outcome) {
    const char *end = text + length, *p = skip_blank_lines(text, end, layout->delimiter);
    int64_t row = 0;
    memset(outcome, 0, sizeof *outcome);
    while (p < end && row < capacity) {
        double *to = numbers + row * layout->width;
        int64_t *spots = spans + row * layout->texts * 2;
        const char *stop = p;
        int cells = 0, broken = 0;
        for (;; stop++) {
            stop = read_cell(layout, stop, end, cells++, to, spots, text, &broken);
            if (!stop || stop >= end || *stop != layout->delimiter) break;
        }
        if (broken || (!stop && final)) return 1;
        const char *next = stop ? next_line(stop, end, final) : NULL;
        if (!next) break;
        if (cells != layout->cells) {
            outcome->ragged++;
            blot(layout, to, spots);
        }
        row++;
        p = skip_blank_lines(next, end, layout->delimiter);
    }
    outcome->rows = row;
    outcome->consumed = p - text;
    return 0;
}
