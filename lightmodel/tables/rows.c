/* Reads rows of a CSV text as numbers, in one pass: cells are split as by Arrow, and parsed by the rules of
contract/cells.py.

A quoted cell, with or without whitespace before it, extends to its closing quote; text behind that quote belongs
to the cell too. A number is an optional sign, digits, a decimal mark, digits and an exponent; whitespace around it
is ignored. A missing value becomes MISSING, any other cell that is not a number INVALID, and all cells of a row
with too few or too many of them RAGGED: three NaNs that Python distinguishes by their bits. */

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define MISSING 0x7ff8000000000000u
#define INVALID 0x7ff8000000000001u
#define RAGGED 0x7ff8000000000002u
#define SHORT_TEXT 400
#define NO_MARK ((char)0xff) /* a byte that no UTF-8 text holds */

enum kind { IGNORED, NUMBER, BOOLEAN, TEXT };

struct layout {
    char delimiter, quote, decimal, missing_separator;
    int32_t cells;           /* in a row */
    int32_t width;           /* numbers in a row of the result */
    int32_t texts;           /* texts in a row of the result */
    const uint8_t *kinds;    /* the kind of each cell */
    const int32_t *places;   /* the position of each cell among the numbers, or among the texts */
    const char *missing;     /* each followed by the separator */
};

struct outcome {
    int64_t rows;
    int64_t consumed;  /* bytes of whole rows */
    int64_t ragged;    /* rows with too few or too many cells */
};

struct cell {
    const char *start, *end;  /* without quotes and whitespace */
    char mark;                /* the decimal mark that it may hold */
    int raw;                  /* it still has to be unquoted: start is behind its opening quote, end where the cell ends */
};

static const double TENS[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                              1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};

static int is_digit(char c) { return (unsigned char)(c - '0') < 10; }

/* Returns the length of the whitespace character at p, as in Python's str.strip(); 0 if there is none. */
static inline int space_at(const char *p, const char *end) {
    uint32_t c = (unsigned char)*p;
    if (c < 0x80) return c == ' ' || (c >= '\t' && c <= '\r') || (c >= 0x1c && c <= 0x1f);
    if (c == 0xc2) return end - p > 1 && (p[1] == '\x85' || p[1] == '\xa0') ? 2 : 0;
    if (c < 0xe1 || c > 0xe3 || end - p < 3) return 0;
    c = c << 16 | (uint32_t)(unsigned char)p[1] << 8 | (unsigned char)p[2];
    return c == 0xe19a80 || (c >= 0xe28080 && c <= 0xe2808a) || c == 0xe280a8 || c == 0xe280a9 ||
           c == 0xe280af || c == 0xe2819f || c == 0xe38080 ? 3 : 0;
}

/* Returns the length of the whitespace character that ends at `end`; 0 if there is none. */
static inline int space_before(const char *start, const char *end) {
    if ((unsigned char)end[-1] < 0x80) return space_at(end - 1, end);
    for (int size = 2; size <= 3; size++)
        if (end - start >= size && space_at(end - size, end) == size) return size;
    return 0;
}

static void trim(struct cell *cell) {
    int size;
    while (cell->start < cell->end && (size = space_at(cell->start, cell->end))) cell->start += size;
    while (cell->start < cell->end && (size = space_before(cell->start, cell->end))) cell->end -= size;
}

static void put(double *to, uint64_t bits) { memcpy(to, &bits, sizeof bits); }

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
static const uint64_t POWERS[] = {1, 10, 100, 1000, 10000, 100000, 1000000, 10000000};

#define LONGEST_SHORT 20 /* bytes that short_number may look at */

/* Loads eight bytes, and returns how many of them are leading digits; after 8, more may follow. */
static inline int digits_in(const char *p, uint64_t *values) {
    memcpy(values, p, sizeof *values);
    *values ^= UINT64_C(0x3030303030303030);
    uint64_t other = ((*values + UINT64_C(0x7676767676767676)) | *values) & UINT64_C(0x8080808080808080);
    return other ? __builtin_ctzll(other) >> 3 : 8;
}

/* Returns the number that the first `digits` of eight digits represent, without a loop. */
static inline uint64_t joined(uint64_t values, int digits) {
    if (!digits) return 0;
    values <<= 8 * (8 - digits);
    values = values * 10 + (values >> 8);
    return ((values & UINT64_C(0xff000000ff)) * UINT64_C(0xf424000000064) +
            ((values >> 16) & UINT64_C(0xff000000ff)) * UINT64_C(0x271000000001)) >> 32;
}

/* Reads a number of at most seven digits before and seven after the mark, as nearly all are, without a branch for
each digit, which the processor would mispredict. Returns NULL for any other number. */
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

/* Reads digits, and counts those after the mark; *value is exact for at most 19 digits. */
static const char *mantissa(const char *p, char decimal, uint64_t *value, int *digits, int *behind) {
    for (; is_digit(*p); p++, ++*digits) *value = *value * 10 + (uint64_t)(*p - '0');
    if (*p != decimal) return p;
    const char *mark = ++p;
    for (; is_digit(*p); p++, ++*digits) *value = *value * 10 + (uint64_t)(*p - '0');
    *behind = (int)(p - mark);
    return p;
}

/* Reads an exponent, if there is one; returns NULL if it has no digits. */
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

/* Reads a number; returns its end, or NULL if there is none. *value is set only if *exact is. */
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

/* Parses numbers that the fast paths cannot; strtod() rounds correctly. */
static double slow_number(const char *start, const char *end, char decimal) {
    char small[SHORT_TEXT + 1];
    size_t length = (size_t)(end - start);
    char *copy = length <= SHORT_TEXT ? small : malloc(length + 1);
    if (!copy) return NAN;
    memcpy(copy, start, length);
    copy[length] = 0;
    char *mark = decimal == '.' ? NULL : memchr(copy, decimal, length);
    if (mark) *mark = '.';
    double value = strtod(copy, NULL);
    if (copy != small) free(copy);
    return value;
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

/* Returns whether a text equals a lower-case word, ignoring case. */
static int is_word(const char *start, const char *end, const char *word) {
    while (start < end && *word && (*start | 0x20) == *word) start++, word++;
    return start == end && !*word;
}

static void put_number(const struct layout *layout, struct cell cell, double *to) {
    int exact = 0;
    if (number(cell.start, cell.mark, to, &exact) == cell.end) {
        if (!exact) *to = slow_number(cell.start, cell.end, cell.mark);
        return;
    }
    if (is_missing(layout, cell)) {
        put(to, MISSING);
        return;
    }
    int negative = *cell.start == '-';
    if (negative || *cell.start == '+') cell.start++;
    if (is_word(cell.start, cell.end, "nan")) put(to, MISSING);
    else if (is_word(cell.start, cell.end, "inf") || is_word(cell.start, cell.end, "infinity"))
        *to = negative ? -INFINITY : INFINITY;
    else put(to, INVALID);
}

static int is_one_of(struct cell cell, const char *const *words) {
    size_t length = (size_t)(cell.end - cell.start);
    for (; *words; words++)
        if (strlen(*words) == length && !memcmp(*words, cell.start, length)) return 1;
    return 0;
}

static void put_boolean(const struct layout *layout, struct cell cell, double *to) {
    static const char *const yes[] = {"true", "True", "TRUE", NULL};
    static const char *const no[] = {"false", "False", "FALSE", NULL};
    if (is_missing(layout, cell)) put(to, MISSING);
    else if (is_one_of(cell, yes)) *to = 1.0;
    else if (is_one_of(cell, no)) *to = 0.0;
    else {
        put_number(layout, cell, to);
        if (*to == *to && *to != 0.0 && *to != 1.0) put(to, INVALID);
        *to = *to == 0.0 ? 0.0 : *to;
    }
}

/* Unquotes a raw cell; returns its text, terminated by a zero byte, which the caller must free. */
static char *unquote(struct cell *cell, char quote) {
    char *copy = malloc((size_t)(cell->end - cell->start) + 1), *to = copy;
    if (!copy) return NULL;
    const char *p = cell->start;
    for (; p < cell->end && (*p != quote || (p + 1 < cell->end && p[1] == quote)); p++) {
        p += *p == quote;
        *to++ = *p;
    }
    for (p++; p < cell->end; p++) *to++ = *p;
    *to = 0;
    cell->start = copy;
    cell->end = to;
    trim(cell);
    return copy;
}

static void put_cell(const struct layout *layout, struct cell cell, int kind, double *to) {
    char *copy = cell.raw ? unquote(&cell, layout->quote) : NULL;
    if (cell.raw && !copy) put(to, INVALID);
    else if (kind == NUMBER) put_number(layout, cell, to);
    else put_boolean(layout, cell, to);
    free(copy);
}

static inline int ends_cell(const struct layout *layout, char c) {
    return c == layout->delimiter || c == '\n' || c == '\r';
}

/* Returns the closing quote of a cell; NULL if there is none. */
static const char *closing_quote(const char *p, const char *end, char quote, int *doubled) {
    for (; (p = memchr(p, quote, (size_t)(end - p))); p += 2) {
        if (p + 1 >= end || p[1] != quote) return p;
        *doubled = 1;
    }
    return NULL;
}

/* Finds a cell's content, and returns where the cell ends: at a delimiter, a line end or the end of the text;
   NULL if a quote is not closed. */
static const char *find_cell(const struct layout *layout, const char *p, const char *end, struct cell *cell) {
    const char *inner = p;
    int size, more = 0;
    cell->raw = 0;
    cell->mark = layout->decimal;
    while (inner < end && !ends_cell(layout, *inner) && (size = space_at(inner, end))) inner += size;
    if (inner < end && *inner == layout->quote) {
        cell->start = inner + 1;
        cell->end = closing_quote(cell->start, end, layout->quote, &cell->raw);
        if (!cell->end) return NULL;
        for (p = cell->end + 1; p < end && !ends_cell(layout, *p); p += size ? size : 1) {
            size = space_at(p, end);
            more |= !size;
        }
        size_t length = (size_t)(cell->end - cell->start);
        /* text behind a quoted cell of several lines: an unclosed quote has swallowed rows */
        if (more && (memchr(cell->start, '\n', length) || memchr(cell->start, '\r', length))) return NULL;
        cell->raw |= more;
        if (cell->raw) {
            cell->end = p;
            return p;
        }
    } else {
        if (layout->decimal == layout->delimiter) cell->mark = NO_MARK;
        for (p = inner; p < end && !ends_cell(layout, *p);) p++;
        cell->start = inner;
        cell->end = p;
    }
    trim(cell);
    return p;
}

static const char *read_cell(const struct layout *layout, const char *p, const char *end, int at,
                             double *numbers, int64_t *spans, const char *text) {
    int kind = at < layout->cells ? layout->kinds[at] : IGNORED;
    struct cell cell;
    if (kind == NUMBER) {
        int exact = 0;
        double *to = numbers + layout->places[at];
        char mark = layout->decimal == layout->delimiter ? NO_MARK : layout->decimal;
        const char *stop = NULL;
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
        if (end - p > LONGEST_SHORT) stop = short_number(p, mark, to);
        if (stop && (*stop == layout->delimiter || *stop == '\n')) return stop;
#endif
        stop = number(p, mark, to, &exact);
        if (stop && exact && stop < end && ends_cell(layout, *stop)) return stop;
    }
    p = find_cell(layout, p, end, &cell);
    if (!p || kind == IGNORED) return p;
    if (kind != TEXT) put_cell(layout, cell, kind, numbers + layout->places[at]);
    else {
        int64_t *span = spans + 2 * layout->places[at], length = cell.end - cell.start;
        span[0] = cell.start - text;
        span[1] = cell.raw ? -length : length;
    }
    return p;
}

static void mark_ragged(const struct layout *layout, double *numbers, int64_t *spans) {
    for (int at = 0; at < layout->width; at++) put(numbers + at, RAGGED);
    for (int at = 0; at < 2 * layout->texts; at++) spans[at] = -1;
}

/* Skips a line end; returns NULL if more text may continue it, as CR before LF. */
static const char *next_line(const char *p, const char *end, int final) {
    if (p >= end) return final ? end : NULL;
    if (*p == '\r') {
        if (p + 1 >= end) return final ? end : NULL;
        return p + (p[1] == '\n' ? 2 : 1);
    }
    return p + 1;
}

static const char *skip_blank_lines(const char *p, const char *end, char delimiter, int final) {
    for (const char *q = p; q < end;) {
        int size = *q == 0x1a ? 1 : *q == delimiter ? 0 : space_at(q, end);
        if (!size) return p;
        q += size;
        if (q[-1] == '\n' || q[-1] == '\r') p = q;
    }
    return final ? end : p;
}

/* Reads complete rows from a text of `length` bytes, followed by a zero byte, until `capacity` rows are read.

numbers: (capacity, width), row-major; spans: (capacity, texts, 2), start and length of each text; the length is
negative if the text is still quoted, and the start is negative in a ragged row. final: no more text follows.
Returns 0, or 1 if a quote is never closed. */
int read_rows(const struct layout *layout, const char *text, int64_t length, int final, double *numbers,
              int64_t *spans, int64_t capacity, struct outcome *outcome) {
    const char *end = text + length, *p = skip_blank_lines(text, end, layout->delimiter, final);
    int64_t row = 0;
    memset(outcome, 0, sizeof *outcome);
    while (p < end && row < capacity) {
        double *to = numbers + row * layout->width;
        int64_t *row_spans = spans + row * layout->texts * 2;
        const char *stop = p;
        int cells = 0;
        for (;; stop++) {
            stop = read_cell(layout, stop, end, cells++, to, row_spans, text);
            if (!stop || stop >= end || *stop != layout->delimiter) break;
        }
        if (!stop && final) return 1;
        const char *next = stop ? next_line(stop, end, final) : NULL;
        if (!next) break;
        if (cells != layout->cells) {
            outcome->ragged++;
            mark_ragged(layout, to, row_spans);
        }
        row++;
        p = skip_blank_lines(next, end, layout->delimiter, final);
    }
    outcome->rows = row;
    outcome->consumed = p - text;
    return 0;
}
