
/*
 * What the compiler of paths leaves for their evaluation, and how it reads
 * their text.  For sync_path*.c alone.
 */


#ifndef SYNC_PATH_IMPL_H_INCLUDED_
#define SYNC_PATH_IMPL_H_INCLUDED_


#include "sync_iregexp.h"
#include "sync_path.h"


typedef struct sync_path_segment_s   sync_path_segment_t;
typedef struct sync_path_selector_s  sync_path_selector_t;
typedef struct sync_path_expr_s      sync_path_expr_t;


typedef enum {
    SYNC_PATH_NAME = 0,
    SYNC_PATH_WILDCARD,
    SYNC_PATH_INDEX,
    SYNC_PATH_SLICE,
    SYNC_PATH_FILTER
} sync_path_selector_e;


struct sync_path_selector_s {
    sync_path_selector_e      type;
    unsigned                  has_start:1;
    unsigned                  has_end:1;
    sync_str_t                name;
    int64_t                   start;         /* an index, too */
    int64_t                   end;
    int64_t                   step;
    sync_path_expr_t         *filter;
    sync_path_selector_t     *next;
};


struct sync_path_segment_s {
    unsigned                  descendant:1;
    sync_path_selector_t     *selectors;
    sync_path_segment_t      *next;
};


struct sync_path_s {
    unsigned                  current:1;     /* "@", else "$" */
    unsigned                  singular:1;
    sync_path_segment_t      *segments;
};


typedef enum {
    SYNC_PATH_OR = 0,
    SYNC_PATH_AND,
    SYNC_PATH_NOT,
    SYNC_PATH_EQ,
    SYNC_PATH_NE,
    SYNC_PATH_LT,
    SYNC_PATH_LE,
    SYNC_PATH_GT,
    SYNC_PATH_GE,
    SYNC_PATH_LITERAL,
    SYNC_PATH_QUERY,
    SYNC_PATH_LENGTH,
    SYNC_PATH_COUNT,
    SYNC_PATH_VALUE,
    SYNC_PATH_MATCH,
    SYNC_PATH_SEARCH
} sync_path_expr_e;


struct sync_path_expr_s {
    sync_path_expr_e          type;
    sync_path_expr_t         *left;          /* operands, arguments */
    sync_path_expr_t         *right;
    sync_path_t              *query;
    sync_json_t               literal;       /* a tape of one node */
    sync_json_node_t          node;
    sync_iregexp_t           *regexp;        /* of a literal pattern */
};


typedef struct {
    sync_arena_t             *arena;
    const unsigned char      *start;
    const unsigned char      *pos;
    const unsigned char      *end;
    unsigned                  depth;
    sync_error_t             *err;
} sync_path_reader_t;


#define sync_path_at(r, ch)                                                   \
    ((r)->pos < (r)->end && *(r)->pos == (ch))

#define sync_path_digit(ch)  ((ch) >= '0' && (ch) <= '9')
#define sync_path_lower(ch)  ((ch) >= 'a' && (ch) <= 'z')


/* Each reads one thing at pos and goes behind it, or refuses. */

/* A JSON number as text, in the arena. */
sync_rc_t sync_path_number(sync_path_reader_t *r, sync_str_t *text);
/* A quoted string, unescaped, in the arena. */
sync_rc_t sync_path_string(sync_path_reader_t *r, sync_str_t *out);
/* An index, within what a double holds exactly. */
sync_rc_t sync_path_int(sync_path_reader_t *r, int64_t *n);
/* 1 and behind it, if word is next; else 0 and nowhere. */
int sync_path_word(sync_path_reader_t *r, const char *word);
void sync_path_blank(sync_path_reader_t *r);
sync_rc_t sync_path_refuse(sync_path_reader_t *r, const char *fault);


#endif /* SYNC_PATH_IMPL_H_INCLUDED_ */
