
/*
 * syncctl key, syncctl store: what an operator asks of a running gateway, at
 * its location with sync_keys.
 */


#include "syncctl.h"
#include "sync_value.h"

#include <errno.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>


#define SYNCCTL_ANSWER   (1024 * 1024)
#define SYNCCTL_TIMEOUT  10              /* seconds */
#define SYNCCTL_ASKED    16384           /* of a request, at most */


typedef struct {
    const char  *at;                     /* http://HOST[:PORT]/PATH */
    const char  *method;
    char         query[SYNCCTL_ASKED];
    size_t       len;
} syncctl_asked_t;


static int syncctl_key_run(sync_arena_t *arena, int argc, char **argv);
static int syncctl_store_run(sync_arena_t *arena, int argc, char **argv);
static int syncctl_add(syncctl_asked_t *asked, const char *name,
    const char *value);
static int syncctl_ask(sync_arena_t *arena, syncctl_asked_t *asked,
    int *status, sync_value_t **answer);
static int syncctl_connect(const char *host, const char *port);
static int syncctl_exchange(int s, const char *text, char *answer,
    size_t *len);
static void syncctl_show(const sync_value_t *value, const char *indent);


static const char  *const syncctl_key_options[] = {
    "client", "issuer", "subject", "scope", "record", NULL
};


const syncctl_command_t  syncctl_key = {
    "key",
    "show|release TENANT KEY [--at URL] [--client ID] [--issuer URL] "
    "[--subject S] [--scope S] [--record HEX]",
    "Asks a gateway how an Idempotency-Key stands, or frees one whose outcome "
    "nobody knows; TENANT is \"-\" where there are none.",
    syncctl_key_run
};

const syncctl_command_t  syncctl_store = {
    "store",
    "check [--at URL]",
    "Lets a gateway try its stores: all that a claim needs, and how long it "
    "takes.",
    syncctl_store_run
};


static int
syncctl_key_run(sync_arena_t *arena, int argc, char **argv)
{
    int              i, k, n, rc, status;
    char            *words[3];
    sync_value_t    *answer;
    syncctl_asked_t  asked;

    memset(&asked, 0, sizeof(asked));
    asked.at = getenv("SYNC_AT");
    n = 0;

    for (i = 0; i < argc; i++) {

        if (strncmp(argv[i], "--", 2) != 0) {
            if (n == 3) {
                return syncctl_misused("one key at a time");
            }

            words[n++] = argv[i];
            continue;
        }

        if (i + 1 == argc) {
            return syncctl_misused("\"%s\" needs a value", argv[i]);
        }

        if (strcmp(argv[i], "--at") == 0) {
            asked.at = argv[++i];
            continue;
        }

        for (k = 0; syncctl_key_options[k] != NULL; k++) {
            if (strcmp(argv[i] + 2, syncctl_key_options[k]) == 0) {
                break;
            }
        }

        if (syncctl_key_options[k] == NULL) {
            return syncctl_misused("unknown option \"%s\"", argv[i]);
        }

        if (!syncctl_add(&asked, syncctl_key_options[k], argv[++i])) {
            return syncctl_misused("this is too long");
        }
    }

    if (n != 3) {
        return syncctl_misused("a tenant and a key are needed");
    }

    if (strcmp(words[0], "show") == 0) {
        asked.method = "GET";

    } else if (strcmp(words[0], "release") == 0) {
        asked.method = "DELETE";

    } else {
        return syncctl_misused("unknown word \"%s\"", words[0]);
    }

    if ((strcmp(words[1], "-") != 0
         && !syncctl_add(&asked, "tenant", words[1]))
        || !syncctl_add(&asked, "key", words[2]))
    {
        return syncctl_misused("this is too long");
    }

    rc = syncctl_ask(arena, &asked, &status, &answer);
    if (rc != SYNCCTL_YES) {
        return rc;
    }

    syncctl_show(answer, "");
    sync_value_free(answer);

    return status == 200 ? SYNCCTL_YES : SYNCCTL_NO;
}


static int
syncctl_store_run(sync_arena_t *arena, int argc, char **argv)
{
    int              rc, status;
    sync_value_t    *answer;
    syncctl_asked_t  asked;

    memset(&asked, 0, sizeof(asked));
    asked.at = getenv("SYNC_AT");
    asked.method = "GET";

    if (argc < 1 || strcmp(argv[0], "check") != 0) {
        return syncctl_misused("\"check\" is known");
    }

    if (argc == 3 && strcmp(argv[1], "--at") == 0) {
        asked.at = argv[2];

    } else if (argc != 1) {
        return syncctl_misused("nothing but --at URL may follow");
    }

    (void) syncctl_add(&asked, "check", "1");

    rc = syncctl_ask(arena, &asked, &status, &answer);
    if (rc != SYNCCTL_YES) {
        return rc;
    }

    syncctl_show(answer, "");
    sync_value_free(answer);

    return status == 200 ? SYNCCTL_YES : SYNCCTL_NO;
}


/* One more member of the query; 0: no room. */

static int
syncctl_add(syncctl_asked_t *asked, const char *name, const char *value)
{
    int                   n;
    const unsigned char  *p;

    /* three bytes for each byte of it, and "&", "=" and an end */

    if (strlen(name) + 3 * strlen(value) + 3
        > sizeof(asked->query) - asked->len)
    {
        return 0;
    }

    n = sprintf(asked->query + asked->len, "%s%s=", asked->len ? "&" : "",
                name);
    asked->len += (size_t) n;

    for (p = (const unsigned char *) value; *p != '\0'; p++) {
        n = sprintf(asked->query + asked->len, "%%%02X", *p);
        asked->len += (size_t) n;
    }

    return 1;
}


/* SYNCCTL_YES: *answer is the caller's; SYNCCTL_WRONG: it was said why. */

static int
syncctl_ask(sync_arena_t *arena, syncctl_asked_t *asked, int *status,
    sync_value_t **answer)
{
    int           s, rc;
    char         *text, *body, *colon, host[256], port[16];
    size_t        len;
    const char   *p, *path;
    sync_error_t  err;

    if (asked->at == NULL || strncmp(asked->at, "http://", 7) != 0) {
        return syncctl_misused("say where the gateway's sync_keys is: "
                               "--at http://127.0.0.1:8480/sync/keys, or "
                               "SYNC_AT");
    }

    p = asked->at + 7;
    path = strchr(p, '/');

    if (path == NULL || path == p || (size_t) (path - p) >= sizeof(host)) {
        return syncctl_misused("\"%s\" has no host or no path", asked->at);
    }

    memcpy(host, p, (size_t) (path - p));
    host[path - p] = '\0';
    strcpy(port, "80");

    colon = strrchr(host, ':');

    if (colon != NULL && strlen(colon) > 1 && strlen(colon) < sizeof(port)) {
        strcpy(port, colon + 1);
        *colon = '\0';
    }

    s = syncctl_connect(host, port);

    if (s == -1) {
        fprintf(stderr, "syncctl: %s: %s\n", asked->at, strerror(errno));
        return SYNCCTL_WRONG;
    }

    len = SYNCCTL_ANSWER;
    text = sync_alloc(arena, 2 * SYNCCTL_ASKED);
    body = sync_alloc(arena, len + 1);

    if (text == NULL || body == NULL
        || strlen(path) + asked->len + 512 > 2 * SYNCCTL_ASKED)
    {
        close(s);
        return syncctl_no_memory();
    }

    sprintf(text, "%s %s?%s HTTP/1.0\r\nHost: %s\r\n\r\n", asked->method,
            path, asked->query, host);

    rc = syncctl_exchange(s, text, body, &len);
    close(s);

    if (rc != 0) {
        fprintf(stderr, "syncctl: %s: %s\n", asked->at, strerror(errno));
        return SYNCCTL_WRONG;
    }

    body[len] = '\0';

    *status = strncmp(body, "HTTP/1.", 7) == 0 && len > 12 ? atoi(body + 9)
                                                           : 0;
    text = strstr(body, "\r\n\r\n");

    if (*status == 0 || text == NULL) {
        fprintf(stderr, "syncctl: %s: this is not HTTP\n", asked->at);
        return SYNCCTL_WRONG;
    }

    text += 4;
    len -= (size_t) (text - body);

    if (sync_value_parse(answer, arena,
                         (sync_str_t) { len, (unsigned char *) text }, 0, &err)
        != SYNC_OK)
    {
        fprintf(stderr, "syncctl: %s: status %d, and not what sync_keys "
                "answers\n", asked->at, *status);
        return SYNCCTL_WRONG;
    }

    return SYNCCTL_YES;
}


static int
syncctl_connect(const char *host, const char *port)
{
    int               s;
    struct timeval    timeout = { SYNCCTL_TIMEOUT, 0 };
    struct addrinfo   hints, *list, *a;

    memset(&hints, 0, sizeof(hints));
    hints.ai_socktype = SOCK_STREAM;

    if (getaddrinfo(host, port, &hints, &list) != 0) {
        errno = EADDRNOTAVAIL;
        return -1;
    }

    s = -1;

    for (a = list; a != NULL; a = a->ai_next) {
        s = socket(a->ai_family, a->ai_socktype, a->ai_protocol);

        if (s == -1) {
            continue;
        }

        (void) setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, &timeout,
                          sizeof(timeout));
        (void) setsockopt(s, SOL_SOCKET, SO_SNDTIMEO, &timeout,
                          sizeof(timeout));

        if (connect(s, a->ai_addr, a->ai_addrlen) == 0) {
            break;
        }

        close(s);
        s = -1;
    }

    freeaddrinfo(list);

    return s;
}


/* 0, or -1 and errno. */

static int
syncctl_exchange(int s, const char *text, char *answer, size_t *len)
{
    size_t   done, size;
    ssize_t  n;

    size = strlen(text);

    for (done = 0; done < size; done += (size_t) n) {
        n = send(s, text + done, size - done, MSG_NOSIGNAL);

        if (n == -1) {
            return -1;
        }
    }

    for (done = 0; done < *len; done += (size_t) n) {
        n = recv(s, answer + done, *len - done, 0);

        if (n == -1) {
            return -1;
        }

        if (n == 0) {
            break;
        }
    }

    *len = done;

    return 0;
}


/* A member a line, what is inside of it behind an indent. */

static void
syncctl_show(const sync_value_t *value, const char *indent)
{
    size_t             i;
    int64_t            n;
    unsigned           yes;
    sync_str_t         s;
    sync_value_iter_t  it = { 0 };

    while (sync_value_next(value, &it)) {

        printf("%s%.*s: ", indent, (int) it.name.len, it.name.data);

        s = sync_value_str(it.value);

        if (s.data != NULL) {
            printf("%.*s\n", (int) s.len, s.data);

        } else if (sync_value_int(it.value, &n) == SYNC_OK) {
            printf("%lld\n", (long long) n);

        } else if (sync_value_bool(it.value, &yes) == SYNC_OK) {
            puts(yes ? "yes" : "no");

        } else if (sync_value_type(it.value) == SYNC_VALUE_OBJECT) {
            putchar('\n');
            syncctl_show(it.value, "  ");

        } else {
            printf("%zu\n", sync_value_count(it.value));

            for (i = 0; i < sync_value_count(it.value); i++) {
                puts(i ? "  --" : "");
                syncctl_show(sync_value_at(it.value, i), "  ");
            }
        }
    }
}
