
/*
 * Time zones, as the files of the tz database say (RFC 9636), and the days and
 * months of a calendar in them.  The time itself is the caller's.
 */


#ifndef SYNC_ZONE_H_INCLUDED_
#define SYNC_ZONE_H_INCLUDED_


#include "sync_core.h"


#define SYNC_ZONE_NAME  64           /* bytes of a name at most */


typedef struct sync_zone_s  sync_zone_t;

typedef enum {
    SYNC_ZONE_DAY = 0,
    SYNC_ZONE_MONTH
} sync_zone_unit_e;


typedef struct {
    uint32_t  label;                 /* 20261121, or 202611 */
    int64_t   end;                   /* Unix seconds: the first of the next */
    int64_t   length;                /* seconds, were each day of 24 hours */
} sync_zone_window_t;


/*
 * The zone of that name, "Europe/Berlin", in the arena; "UTC" is there without
 * any file.  NO: no such zone; FAULT: no memory.
 */
sync_rc_t sync_zone_load(sync_arena_t *arena, sync_str_t name,
    const sync_zone_t **zone, sync_error_t *err);

/* The same from the contents of a file, version 2 or later. */
sync_rc_t sync_zone_parse(sync_arena_t *arena, sync_str_t bytes,
    const sync_zone_t **zone, sync_error_t *err);

/* Seconds east of UTC at that time; zone NULL: UTC. */
int32_t sync_zone_offset(const sync_zone_t *zone, int64_t t);

/* The day or month in which that time lies. */
void sync_zone_window(const sync_zone_t *zone, int64_t t,
    sync_zone_unit_e unit, sync_zone_window_t *window);


#endif /* SYNC_ZONE_H_INCLUDED_ */
