
/*
 * syncctl try: a request through documents and maps, offline, as far as the
 * dry run of sync_debug takes it in the gateway: what it is, what it becomes
 * in canonical words, where it goes and how it looks there.
 *
 * Who asks is told, not proven; limits and keys are not looked at.
 */


#include "try.h"

#include <ctype.h>
#include <stdlib.h>
#include <strings.h>


static int syncctl_try_run(sync_arena_t *arena, int argc, char **argv);
static int syncctl_try_request(syncctl_try_t *t, const char *name,
    sync_str_t text);
static int syncctl_try_line(sync_str_t *text, sync_str_t *line);
static int syncctl_try_header(syncctl_try_t *t, sync_str_t line);
static int syncctl_try_tenant(syncctl_tenants_t *tenants, syncctl_try_t *t);
static int syncctl_try_client(syncctl_try_t *t);
static int syncctl_try_entity(syncctl_try_t *t);
static int syncctl_try_operation(syncctl_try_t *t);
static void syncctl_try_unescape(sync_str_t *s);
static int syncctl_try_print(sync_arena_t *arena, syncctl_try_t *t);


const syncctl_command_t  syncctl_try = {
    "try",
    "DIR FILE [--client ID] [--entity NAME] [--at PREFIX]",
    "Takes the HTTP request in FILE through the documents in DIR/tenants and "
    "the maps in DIR/library, and prints what would be sent where.",
    syncctl_try_run
};


static const struct {
    const char  *method;
    int          object;                 /* an id is there */
    sync_op_e    op;
} syncctl_try_methods[] = {
    { "POST",   0, SYNC_OP_CREATE },
    { "GET",    0, SYNC_OP_LIST },
    { "HEAD",   0, SYNC_OP_LIST },
    { "GET",    1, SYNC_OP_READ },
    { "HEAD",   1, SYNC_OP_READ },
    { "PUT",    1, SYNC_OP_REPLACE },
    { "PATCH",  1, SYNC_OP_UPDATE },
    { "DELETE", 1, SYNC_OP_DELETE }
};


static int
syncctl_try_run(sync_arena_t *arena, int argc, char **argv)
{
    int                rc;
    const char        *dir, *file, **option;
    sync_str_t         text;
    syncctl_try_t      t;
    syncctl_tenants_t  tenants;

    memset(&t, 0, sizeof(t));
    dir = NULL;
    file = NULL;

    for ( /* void */ ; *argv != NULL; argv++) {

        option = strcmp(*argv, "--client") == 0 ? &t.client_name
                 : strcmp(*argv, "--entity") == 0 ? &t.entity_name
                 : strcmp(*argv, "--at") == 0 ? &t.at : NULL;

        if (option != NULL && argv[1] != NULL) {
            *option = *++argv;

        } else if (strncmp(*argv, "--", 2) == 0) {
            return syncctl_misused("unknown option \"%s\", or its value is "
                                   "missing", *argv);

        } else if (dir == NULL) {
            dir = *argv;

        } else if (file == NULL) {
            file = *argv;

        } else {
            return syncctl_misused("\"%s\" is one argument too many", *argv);
        }
    }

    if (file == NULL) {
        return syncctl_misused("a folder and a request are asked for");
    }

    if (syncctl_read(arena, file, &text) != SYNCCTL_YES
        || syncctl_try_request(&t, file, text) != SYNCCTL_YES
        || syncctl_tenants_read(arena, dir, &tenants, stderr) == SYNCCTL_WRONG)
    {
        return SYNCCTL_WRONG;
    }

    rc = syncctl_try_tenant(&tenants, &t);

    if (rc == SYNCCTL_YES) {
        rc = syncctl_try_client(&t);
    }

    if (rc == SYNCCTL_YES) {
        rc = syncctl_try_entity(&t);
    }

    if (rc == SYNCCTL_YES) {
        rc = syncctl_try_operation(&t);
    }

    if (rc == SYNCCTL_YES) {
        rc = syncctl_try_canonical(arena, &tenants, &t);
    }

    if (rc == SYNCCTL_YES) {
        rc = syncctl_try_route(arena, &t);
    }

    if (rc == SYNCCTL_YES) {
        rc = syncctl_try_target(arena, &tenants, &t);
    }

    return rc == SYNCCTL_YES ? syncctl_try_print(arena, &t) : rc;
}


/* A request as it stands on the wire; lines may end in LF alone. */

static int
syncctl_try_request(syncctl_try_t *t, const char *name, sync_str_t text)
{
    unsigned char  *p, *end;
    sync_str_t      line;

    if (syncctl_try_line(&text, &line)) {

        end = line.data + line.len;
        p = memchr(line.data, ' ', line.len);

        if (p != NULL && p + 1 < end && p[1] == '/') {
            t->method.data = line.data;
            t->method.len = (size_t) (p - line.data);
            t->path.data = p + 1;

            for (p++; p < end && *p != ' ' && *p != '?'; p++) { /* void */ }

            t->path.len = (size_t) (p - t->path.data);

            while (syncctl_try_line(&text, &line)) {

                if (line.len == 0) {
                    t->body = text;
                    return SYNCCTL_YES;
                }

                if (syncctl_try_header(t, line) != SYNCCTL_YES) {
                    break;
                }
            }

            if (line.data == NULL) {
                return SYNCCTL_YES;
            }
        }
    }

    fprintf(stderr, "syncctl: %s: this is no HTTP request: \"METHOD /path "
            "HTTP/1.1\", headers, an empty line, the body\n", name);

    return SYNCCTL_WRONG;
}


/* Whether there is one more; line.data NULL: there is not. */

static int
syncctl_try_line(sync_str_t *text, sync_str_t *line)
{
    unsigned char  *p;

    *line = sync_str_null;

    if (text->len == 0) {
        return 0;
    }

    p = memchr(text->data, '\n', text->len);

    line->data = text->data;
    line->len = p != NULL ? (size_t) (p - text->data) : text->len;

    text->data += line->len + (p != NULL);
    text->len -= line->len + (p != NULL);

    if (line->len && line->data[line->len - 1] == '\r') {
        line->len--;
    }

    return 1;
}


static int
syncctl_try_header(syncctl_try_t *t, sync_str_t line)
{
    unsigned char  *p;
    sync_str_t      value;

    p = memchr(line.data, ':', line.len);

    if (p == NULL || p == line.data) {
        return SYNCCTL_WRONG;
    }

    value.data = p + 1;
    value.len = line.len - (size_t) (p + 1 - line.data);

    while (value.len && (*value.data == ' ' || *value.data == '\t')) {
        value.data++;
        value.len--;
    }

    line.len = (size_t) (p - line.data);

    if (line.len == 4 && strncasecmp((char *) line.data, "host", 4) == 0) {
        t->host = value;

    } else if (line.len == 15
               && strncasecmp((char *) line.data, "idempotency-key", 15) == 0)
    {
        t->key = value;
    }

    return SYNCCTL_YES;
}


static int
syncctl_try_tenant(syncctl_tenants_t *tenants, syncctl_try_t *t)
{
    size_t          i;
    char            host[256];
    sync_str_t      name;
    unsigned char  *p;

    name = t->host;
    p = name.len ? memchr(name.data, ':', name.len) : NULL;

    if (p != NULL) {
        name.len = (size_t) (p - name.data);
    }

    if (name.len == 0 || name.len >= sizeof(host)) {
        return syncctl_try_refused("the request has no Host, which says whose "
                                   "it is");
    }

    for (i = 0; i < name.len; i++) {
        host[i] = (char) (name.data[i] | (name.data[i] >= 'A'
                                          && name.data[i] <= 'Z' ? 0x20 : 0));
    }

    name.data = (unsigned char *) host;

    for (i = 0; i < tenants->n; i++) {
        t->doc = tenants->list[i].doc;

        if (t->doc != NULL
            && sync_doc_has(t->doc, sync_doc_hosts(t->doc), name))
        {
            return SYNCCTL_YES;
        }
    }

    return syncctl_try_refused("404 unknown-tenant: no document has the host "
                               "\"%.*s\"", (int) name.len, host);
}


static int
syncctl_try_client(syncctl_try_t *t)
{
    uint32_t    i, n;
    sync_rc_t   rc;

    n = sync_doc_clients(t->doc);

    if (t->client_name != NULL) {
        rc = sync_doc_client(t->doc, syncctl_str(t->client_name), &t->client);

    } else {
        rc = n == 1 ? sync_doc_client_at(t->doc, 0, &t->client) : SYNC_NO;
    }

    if (rc == SYNC_OK
        && sync_doc_source_at(t->doc, t->client.source, &t->source) == SYNC_OK)
    {
        return SYNCCTL_YES;
    }

    if (t->client_name != NULL) {
        return syncctl_try_refused("403 unknown-client: the document has no "
                                   "client \"%s\"", t->client_name);
    }

    fputs("syncctl try: the document has several clients, or none; --client "
          "says which one asks:", stderr);

    for (i = 0; i < n; i++) {
        if (sync_doc_client_at(t->doc, i, &t->client) == SYNC_OK) {
            fprintf(stderr, " %.*s", (int) t->client.id.len,
                    (char *) t->client.id.data);
        }
    }

    fputc('\n', stderr);

    return SYNCCTL_WRONG;
}


/* --entity, or the only one that the client was granted. */

static int
syncctl_try_entity(syncctl_try_t *t)
{
    uint32_t  i;

    t->entity = SYNC_ENTITIES;

    if (t->entity_name != NULL) {
        t->entity = sync_entity_by_name(syncctl_str(t->entity_name));

        if (t->entity == SYNC_ENTITIES) {
            return syncctl_misused("there is no entity \"%s\"",
                                   t->entity_name);
        }

        return SYNCCTL_YES;
    }

    for (i = 0; i < SYNC_ENTITIES; i++) {
        if (t->client.operations[i] == 0) {
            continue;
        }

        if (t->entity != SYNC_ENTITIES) {
            return syncctl_misused("the client has several entities: "
                                   "--entity says which one is meant");
        }

        t->entity = (sync_entity_e) i;
    }

    return t->entity != SYNC_ENTITIES
           ? SYNCCTL_YES
           : syncctl_try_refused("403 not-allowed: the client was granted "
                                 "nothing");
}


/*
 * As "sync_entity NAME at=PREFIX" reads it.  Without --at POST stands for the
 * collection and any other method for an object one segment below it.
 */

static int
syncctl_try_operation(syncctl_try_t *t)
{
    int         object;
    size_t      i;
    sync_str_t  at;

    if (t->at != NULL) {
        at = syncctl_str(t->at);

        if (t->path.len < at.len || memcmp(t->path.data, at.data, at.len) != 0
            || (t->path.len > at.len && t->path.data[at.len] != '/'))
        {
            return syncctl_try_refused("404 unknown-path: \"%.*s\" is not "
                                       "below \"%s\"", (int) t->path.len,
                                       (char *) t->path.data, t->at);
        }

    } else {
        at = t->path;

        if (!sync_str_is(t->method, "POST")) {
            while (at.len && at.data[at.len - 1] != '/') {
                at.len--;
            }

            at.len -= at.len != 0;
        }
    }

    object = t->path.len > at.len;

    if (object) {
        t->id.data = t->path.data + at.len + 1;
        t->id.len = t->path.len - at.len - 1;

        if (t->id.len == 0 || memchr(t->id.data, '/', t->id.len) != NULL) {
            return syncctl_try_refused("404 unknown-path: an object is one "
                                       "segment below \"%.*s\"", (int) at.len,
                                       (char *) at.data);
        }

        syncctl_try_unescape(&t->id);
    }

    t->op = SYNC_OPS;

    for (i = 0; i < sizeof(syncctl_try_methods)
                    / sizeof(syncctl_try_methods[0]); i++)
    {
        if (syncctl_try_methods[i].object == object
            && sync_str_is(t->method, syncctl_try_methods[i].method))
        {
            t->op = syncctl_try_methods[i].op;
        }
    }

    if (t->op == SYNC_OPS) {
        return syncctl_try_refused("405 method-not-allowed: %.*s is not for "
                                   "%s", (int) t->method.len,
                                   (char *) t->method.data,
                                   object ? "an object" : "the collection");
    }

    if ((t->client.operations[t->entity] & sync_op_bit(t->op)) == 0) {
        return syncctl_try_refused("403 not-allowed: client \"%.*s\" was not "
                                   "granted %.*s of %.*s",
                                   (int) t->client.id.len,
                                   (char *) t->client.id.data,
                                   (int) sync_op_name(t->op).len,
                                   (char *) sync_op_name(t->op).data,
                                   (int) sync_entity_name(t->entity).len,
                                   (char *) sync_entity_name(t->entity).data);
    }

    return SYNCCTL_YES;
}


/* In place; what is no escape stays as it is, as in the gateway. */

static void
syncctl_try_unescape(sync_str_t *s)
{
    char            hex[3];
    size_t          i;
    unsigned char  *dst;

    dst = s->data;

    for (i = 0; i < s->len; i++) {

        if (s->data[i] == '%' && i + 2 < s->len
            && isxdigit(s->data[i + 1]) && isxdigit(s->data[i + 2]))
        {
            memcpy(hex, s->data + i + 1, 2);
            hex[2] = '\0';
            *dst++ = (unsigned char) strtoul(hex, NULL, 16);
            i += 2;

        } else {
            *dst++ = s->data[i];
        }
    }

    s->len = (size_t) (dst - s->data);
}


#define syncctl_put(out, key, str)                                            \
    sync_json_key((out), sync_str_lit(key));                                  \
    sync_json_string((out), (str))


static int
syncctl_try_print(sync_arena_t *arena, syncctl_try_t *t)
{
    sync_str_t       text;
    sync_json_out_t  out;

    sync_json_begin(&out, arena, 4096, 0);
    sync_json_open(&out, '{');

    syncctl_put(&out, "tenant", sync_doc_id(t->doc));
    syncctl_put(&out, "client", t->client.id);
    syncctl_put(&out, "entity", sync_entity_name(t->entity));
    syncctl_put(&out, "operation", sync_op_name(t->op));
    syncctl_put(&out, "source", t->source.name);

    if (t->payload.nodes != NULL) {
        sync_json_key(&out, sync_str_lit("canonical"));
        sync_json_value(&out, t->canonical);
    }

    syncctl_put(&out, "connector", t->connector.name);

    sync_json_key(&out, sync_str_lit("request"));
    sync_json_open(&out, '{');
    syncctl_put(&out, "method", t->operation.method);
    syncctl_put(&out, "host", t->connector.host);
    syncctl_put(&out, "uri", t->uri);

    if (t->operation.action.len) {
        syncctl_put(&out, "action", t->operation.action);
    }

    if (t->target.data != NULL) {
        syncctl_put(&out, "type", t->type);
        sync_json_key(&out, sync_str_lit("body"));

        if (sync_format_is_json(t->connector.format)) {
            sync_json_value(&out, t->target);

        } else {
            sync_json_string(&out, t->target);
        }
    }

    sync_json_close(&out, '}');
    sync_json_close(&out, '}');

    if (sync_json_end(&out, &text) != SYNC_OK) {
        return syncctl_no_memory();
    }

    syncctl_print(text);

    return SYNCCTL_YES;
}


