
/*
 * Time zones: against the C library, which reads the same files.
 */


#include <stdlib.h>
#include <time.h>

#include "sync_zone.h"
#include "tap.h"


static const char  *zones[] = {
    "Europe/Berlin", "Europe/Dublin", "America/New_York", "America/Sao_Paulo",
    "Asia/Kolkata", "Asia/Kathmandu", "Australia/Lord_Howe", "Africa/Cairo",
    "Asia/Beirut", "America/Havana", "America/Asuncion", "Pacific/Apia",
    "America/St_Johns", "Asia/Gaza", "Africa/Casablanca", "America/Nuuk",
    "Etc/GMT+5", "Pacific/Kiritimati", NULL
};


static void test_zone(const char *name);
static void test_refused(void);
static int date_of(int64_t t, int month);


int
main(void)
{
    size_t              i;
    sync_zone_window_t  w;

    for (i = 0; zones[i] != NULL; i++) {
        test_zone(zones[i]);
    }

    sync_zone_window(NULL, 1795266000, SYNC_ZONE_DAY, &w);
    is_int(w.label, 20261121, "UTC: a day");
    is_int(w.end, 1795305600, "ends at midnight");
    is_int(w.length, 86400, "and is a day long");

    sync_zone_window(NULL, 1795266000, SYNC_ZONE_MONTH, &w);
    is_int(w.label, 202611, "a month");
    is_int(w.end, 1796083200, "ends with it");
    is_int(w.length, 30 * 86400, "of thirty days");

    sync_zone_window(NULL, 1796083199, SYNC_ZONE_MONTH, &w);
    is_int(w.label, 202611, "its last second");
    sync_zone_window(NULL, 1798675200, SYNC_ZONE_MONTH, &w);
    is_int(w.label, 202612, "December");
    is_int(w.end, 1798761600, "ends with the year");
    sync_zone_window(NULL, -1, SYNC_ZONE_DAY, &w);
    is_int(w.label, 19691231, "before 1970");
    is_int(w.end, 0, "ends there");

    test_refused();

    return done_testing();
}


static void
test_zone(const char *name)
{
    int                 month, bad_offset, bad_window;
    int64_t             t, last;
    unsigned            i;
    struct tm           tm;
    time_t              at;
    sync_arena_t       *arena;
    sync_error_t        err;
    const sync_zone_t  *z;
    sync_zone_window_t  w;

    arena = sync_arena_create(1 << 17);

    if (sync_zone_load(arena, (sync_str_t) { strlen(name),
                                             (unsigned char *) name },
                       &z, &err)
        != SYNC_OK)
    {
        ok(0, "%s: %s", name, err.text);
        sync_arena_destroy(arena);
        return;
    }

    setenv("TZ", name, 1);
    tzset();

    bad_offset = 0;
    bad_window = 0;
    srand(1);

    /* 1995 to 2080, and each hour of 2026 */

    for (i = 0; i < 30000; i++) {
        t = i < 9000 ? INT64_C(1767139200) + (int64_t) i * 3600
                     : INT64_C(788918400) + (int64_t) rand() % 2682374400;

        at = (time_t) t;
        localtime_r(&at, &tm);

        if (tm.tm_gmtoff != sync_zone_offset(z, t)) {
            bad_offset++;
        }

        for (month = 0; month < 2; month++) {
            sync_zone_window(z, t, month ? SYNC_ZONE_MONTH : SYNC_ZONE_DAY,
                             &w);

            last = w.end - 1;

            if ((int) w.label != date_of(t, month) || w.end <= t
                || date_of(last, month) != (int) w.label
                || date_of(w.end, month) == (int) w.label)
            {
                bad_window++;
            }
        }
    }

    is_int(bad_offset, 0, "%s: offsets", name);
    is_int(bad_window, 0, "%s: days and months", name);

    sync_arena_destroy(arena);
}


static int
date_of(int64_t t, int month)
{
    time_t     at;
    struct tm  tm;

    at = (time_t) t;
    localtime_r(&at, &tm);

    return month ? (tm.tm_year + 1900) * 100 + tm.tm_mon + 1
                 : (tm.tm_year + 1900) * 10000 + (tm.tm_mon + 1) * 100
                   + tm.tm_mday;
}


static void
test_refused(void)
{
    FILE               *f;
    size_t              i, len, bad;
    unsigned char       buf[8192], copy[8192];
    sync_arena_t       *arena;
    sync_error_t        err;
    const sync_zone_t  *z;

    static const char  *names[] = {
        "", "Europe", "Europe/Nowhere", "../../etc/passwd", "/etc/passwd",
        "Europe/../Europe/Berlin", "Europe//Berlin", "Europe/Berlin/",
        "Europe/Berlin ", ".hidden", "zone.tab", NULL
    };

    arena = sync_arena_create(1 << 17);

    for (i = 0; names[i] != NULL; i++) {
        ok(sync_zone_load(arena, (sync_str_t) { strlen(names[i]),
                                              (unsigned char *) names[i] },
                          &z, &err)
           == SYNC_NO && err.text[0], "no zone \"%s\"", names[i]);
    }

    ok(sync_zone_load(arena, sync_str_lit("UTC"), &z, &err) == SYNC_OK
       && z == NULL, "UTC needs no file");

    /* a file that is cut, or bent, is refused or read, and no more */

    f = fopen("/usr/share/zoneinfo/Europe/Berlin", "rb");
    len = f ? fread(buf, 1, sizeof(buf), f) : 0;

    if (f) {
        fclose(f);
    }

    bad = 0;

    for (i = 0; i < len; i++) {

        if (sync_zone_parse(arena, (sync_str_t) { i, buf }, &z, &err)
            != SYNC_NO)
        {
            bad++;
        }

        memcpy(copy, buf, len);
        copy[i] ^= 0xff;

        if (sync_zone_parse(arena, (sync_str_t) { len, copy }, &z, &err)
            == SYNC_OK)
        {
            (void) sync_zone_offset(z, 1795219200);
            (void) sync_zone_offset(z, 4000000000);
        }
    }

    is_int(bad, 0, "no part of a file is a zone");
    ok(len > 0, "there was one");

    sync_arena_destroy(arena);
}
