
/*
 * Dates: what is read, what is refused, and every form written.
 */


#include "sync_date.h"
#include "tap.h"


typedef struct {
    const char        *text;
    sync_date_form_e   form;
    const char        *want;
} date_row_t;


static const date_row_t  rows[] = {
    { "2026-11-21", SYNC_DATE, "2026-11-21" },
    { "2026-11-21", SYNC_DATE_ODATA, "/Date(1795219200000)/" },
    { "2026-11-21", SYNC_DATE_TIME, "2026-11-21T00:00:00Z" },
    { "/Date(1795219200000)/", SYNC_DATE, "2026-11-21" },
    { "\\/Date(1795219200000)\\/", SYNC_DATE, "2026-11-21" },
    { "/Date(1795219200500)/", SYNC_DATE_TIME, "2026-11-21T00:00:00.500Z" },
    { "/Date(-1)/", SYNC_DATE_TIME, "1969-12-31T23:59:59.999Z" },
    { "/Date(0)/", SYNC_DATE_TIME, "1970-01-01T00:00:00Z" },
    { "/Date(1795219200000+0120)/", SYNC_DATE_TIME,
      "2026-11-21T02:00:00+02:00" },
    { "/Date(1795219200000-300)/", SYNC_DATE_TIME,
      "2026-11-20T19:00:00-05:00" },
    { "/Date(1795219200000-0300)/", SYNC_DATE, "2026-11-20" },
    { "2026-11-21T02:00:00+02:00", SYNC_DATE_ODATA_OFFSET,
      "/Date(1795219200000+0120)/" },
    { "2026-11-21T02:00:00.000+0200", SYNC_DATE_ODATA_OFFSET,
      "/Date(1795219200000+0120)/" },
    { "2026-11-21T00:00:00Z", SYNC_DATE_ODATA_OFFSET,
      "/Date(1795219200000+0000)/" },
    { "2026-11-21T10:00:00", SYNC_DATE_LOCAL, "2026-11-21T10:00:00" },
    { "2026-11-21T10:00:00.25", SYNC_DATE_ODATA, "/Date(1795255200250)/" },
    { "2026-11-21T23:30:00-05:00", SYNC_DATE, "2026-11-21" },
    { "2026-11-21t23:30:00z", SYNC_DATE_TIME, "2026-11-21T23:30:00Z" },
    { "2026-11-21T10:00:00.123456789Z", SYNC_DATE_TIME,
      "2026-11-21T10:00:00.123Z" },
    { "2016-12-31T23:59:60Z", SYNC_DATE_TIME, "2017-01-01T00:00:00Z" },
    { "2024-02-29", SYNC_DATE_ODATA, "/Date(1709164800000)/" },
    { "2000-02-29", SYNC_DATE, "2000-02-29" },
    { "0001-01-01", SYNC_DATE, "0001-01-01" },
    { "9999-12-31", SYNC_DATE_ODATA, "/Date(253402214400000)/" },
    { "/Date(253402214400000)/", SYNC_DATE, "9999-12-31" }
};


static const char  *bad[] = {
    "", "2026", "2026-11", "2026-13-01", "2026-00-10", "2026-11-00",
    "2026-11-31", "2025-02-29", "1900-02-29", "0000-01-01", "2026-11-21T",
    "2026-11-21 10:00:00", "2026-11-21T10:00", "2026-11-21T24:00:00Z",
    "2026-11-21T10:60:00Z", "2026-11-21T10:00:61Z", "2026-11-21T10:00:00.Z",
    "2026-11-21T10:00:00+2", "2026-11-21T10:00:00+15:00",
    "2026-11-21T10:00:00+02:60", "2026-11-21T10:00:00Zx", "21.11.2026",
    "2026/11/21", "+2026-11-21", "20261121", "2026-1-1", " 2026-11-21",
    "2026-11-21x", "0001-01-01T00:00:00+01:00", "9999-12-31T23:59:59-01:00",
    "/Date()/", "/Date(1)", "/Date(-)/", "/Date(1+)/", "/Date(1+00000)/",
    "/Date(1+0900)/", "/Date(1x)/", "/Date(9999999999999999)/",
    "/Date(253402300800000)/", "/date(1)/", "/Date(1)/x", "/", "\\",
    "/Date(", "/Date(1.5)/", "/Date(1 )/"
};


int
main(void)
{
    size_t         i;
    int64_t        ms;
    sync_str_t     got, text;
    sync_date_t    date, again;
    unsigned char  buf[SYNC_DATE_LEN];

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        text.data = (unsigned char *) rows[i].text;
        text.len = strlen(rows[i].text);

        if (sync_date_parse(text, &date) != SYNC_OK) {
            ok(0, "%s is read", rows[i].text);
            continue;
        }

        got.data = buf;
        got.len = sync_date_format(&date, rows[i].form, buf);

        is_str(got, rows[i].want, "%s to %s", rows[i].text, rows[i].want);
    }

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        text.data = (unsigned char *) bad[i];
        text.len = strlen(bad[i]);

        is_int(sync_date_parse(text, &date), SYNC_NO, "\"%s\" is refused",
               bad[i]);
    }

    /* each form, over the whole calendar, comes back as it went */

    for (i = 0, ms = -62135596800000LL; ms < 253402300799999LL;
         ms += 86400000LL * 97 + 12345)
    {
        date.form = SYNC_DATE_TIME;
        date.ms = ms;
        date.offset = 0;

        got.data = buf;
        got.len = sync_date_format(&date, SYNC_DATE_TIME, buf);

        if (sync_date_parse(got, &again) != SYNC_OK || again.ms != ms) {
            i++;
        }

        got.len = sync_date_format(&date, SYNC_DATE_ODATA, buf);

        if (sync_date_parse(got, &again) != SYNC_OK || again.ms != ms) {
            i++;
        }
    }

    is_int(i, 0, "dates of the years 1 to 9999 come back");

    return done_testing();
}
