
/*
 * A fetch for a request, and what came of it, in JSON.
 *
 *   ?url= &method= &trusted=1 &vital=1 &repeat=1 &body= &max= &connect= &read=
 *   &timeout= &name= &value= (a header) &cert= (a path without its end) &show=
 *   (a header of the answer) &leave=1 (answers at once, the fetch goes on)
 */


#include "ngx_http_sync_test.h"


typedef struct {
    ngx_http_request_t  *request;            /* NULL: it was left */
    ngx_sync_fetch_t    *fetch;
    ngx_str_t            show;
} ngx_http_sync_test_fetch_t;


static ngx_int_t ngx_http_sync_test_fetch_args(ngx_http_request_t *r,
    ngx_sync_fetch_t *f);
static ngx_str_t ngx_http_sync_test_fetch_text(ngx_http_request_t *r,
    ngx_sync_fetch_t *f, const char *name);
static ngx_int_t ngx_http_sync_test_fetch_file(ngx_http_request_t *r,
    ngx_sync_fetch_t *f, const char *end, ngx_str_t *text);
static void ngx_http_sync_test_fetch_done(ngx_sync_fetch_t *f);
static ngx_buf_t *ngx_http_sync_test_fetch_show(ngx_http_request_t *r,
    ngx_http_sync_test_fetch_t *tf);
static void ngx_http_sync_test_fetch_cleanup(void *data);


ngx_int_t
ngx_http_sync_test_fetch_handler(ngx_http_request_t *r)
{
    ngx_buf_t                      *b;
    ngx_int_t                       rc, leave;
    ngx_sync_fetch_t               *f;
    ngx_pool_cleanup_t             *cln;
    ngx_http_sync_test_fetch_t     *tf;
    ngx_http_sync_test_loc_conf_t  *tlcf;

    rc = ngx_http_discard_request_body(r);
    if (rc != NGX_OK) {
        return rc;
    }

    tlcf = ngx_http_get_module_loc_conf(r, ngx_http_sync_test_module);

    f = ngx_sync_fetch_create(tlcf->fetch, ngx_cycle->log);
    if (f == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    leave = ngx_http_sync_test_int(r, "leave", 0);

    tf = ngx_pcalloc(leave ? f->pool : r->pool,
                     sizeof(ngx_http_sync_test_fetch_t));

    if (tf == NULL || ngx_http_sync_test_fetch_args(r, f) != NGX_OK) {
        ngx_sync_fetch_free(f);
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    tf->fetch = f;
    tf->show = ngx_http_sync_test_fetch_text(r, f, "show");

    f->handler = ngx_http_sync_test_fetch_done;
    f->data = tf;

    if (leave) {
        ngx_sync_fetch_start(f);

        b = ngx_create_temp_buf(r->pool, 2);
        if (b == NULL) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        b->last = ngx_cpymem(b->pos, "{}", 2);

        return ngx_http_sync_test_send(r, b);
    }

    cln = ngx_pool_cleanup_add(r->pool, 0);
    if (cln == NULL) {
        ngx_sync_fetch_free(f);
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    cln->handler = ngx_http_sync_test_fetch_cleanup;
    cln->data = tf;

    tf->request = r;
    r->main->count++;
    r->read_event_handler = ngx_http_test_reading;

    ngx_sync_fetch_start(f);

    return NGX_DONE;
}


static ngx_int_t
ngx_http_sync_test_fetch_args(ngx_http_request_t *r, ngx_sync_fetch_t *f)
{
    char       *name;
    ngx_str_t   value, key;

    f->url = ngx_http_sync_test_fetch_text(r, f, "url");
    f->trusted = ngx_http_sync_test_int(r, "trusted", 0);
    f->vital = ngx_http_sync_test_int(r, "vital", 0);
    f->repeat = ngx_http_sync_test_int(r, "repeat", 0);
    f->max = ngx_http_sync_test_int(r, "max", f->max);
    f->connect_timeout = ngx_http_sync_test_int(r, "connect",
                                                f->connect_timeout);
    f->read_timeout = ngx_http_sync_test_int(r, "read", f->read_timeout);
    f->timeout = ngx_http_sync_test_int(r, "timeout", f->timeout);

    value = ngx_http_sync_test_fetch_text(r, f, "method");

    if (value.len) {
        f->method = value;
    }

    value = ngx_http_sync_test_fetch_text(r, f, "body");

    if (value.len) {
        f->body = value;
    }

    key = ngx_http_sync_test_fetch_text(r, f, "name");
    value = ngx_http_sync_test_fetch_text(r, f, "value");

    if (key.len) {
        name = ngx_pcalloc(f->pool, key.len + 1);

        if (name == NULL) {
            return NGX_ERROR;
        }

        ngx_memcpy(name, key.data, key.len);

        if (ngx_sync_fetch_header(f, name, &value) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    if (ngx_http_sync_test_arg(r, "cert").len
        && (ngx_http_sync_test_fetch_file(r, f, "pem", &f->certificate)
            != NGX_OK
            || ngx_http_sync_test_fetch_file(r, f, "key",
                                             &f->certificate_key)
               != NGX_OK))
    {
        return NGX_ERROR;
    }

    return NGX_OK;
}


static ngx_str_t
ngx_http_sync_test_fetch_text(ngx_http_request_t *r, ngx_sync_fetch_t *f,
    const char *name)
{
    u_char     *dst, *src;
    ngx_str_t   raw, text;

    raw = ngx_http_sync_test_arg(r, name);

    text.len = 0;
    text.data = ngx_pnalloc(f->pool, raw.len + 1);

    if (raw.len == 0 || text.data == NULL) {
        return text;
    }

    dst = text.data;
    src = raw.data;

    ngx_unescape_uri(&dst, &src, raw.len, 0);

    text.len = dst - text.data;

    return text;
}


static ngx_int_t
ngx_http_sync_test_fetch_file(ngx_http_request_t *r, ngx_sync_fetch_t *f,
    const char *end, ngx_str_t *text)
{
    char       path[1024];
    FILE      *file;
    ngx_str_t  cert;

    cert = ngx_http_sync_test_fetch_text(r, f, "cert");

    (void) snprintf(path, sizeof(path), "%.*s.%s", (int) cert.len,
                    (char *) cert.data, end);

    text->data = ngx_pnalloc(f->pool, 8192);
    file = fopen(path, "r");

    if (text->data == NULL || file == NULL) {
        return NGX_ERROR;
    }

    text->len = fread(text->data, 1, 8192, file);
    fclose(file);

    return NGX_OK;
}


static void
ngx_http_sync_test_fetch_done(ngx_sync_fetch_t *f)
{
    ngx_buf_t                   *b;
    ngx_connection_t            *c;
    ngx_http_request_t          *r;
    ngx_http_sync_test_fetch_t  *tf;

    tf = f->data;
    r = tf->request;

    if (r == NULL) {
        ngx_log_error(NGX_LOG_NOTICE, ngx_cycle->log, 0,
                      "test fetch ended: %s", ngx_sync_fetch_result(f->result));
        ngx_sync_fetch_free(f);
        return;
    }

    c = r->connection;
    b = ngx_http_sync_test_fetch_show(r, tf);

    tf->fetch = NULL;
    ngx_sync_fetch_free(f);

    ngx_http_finalize_request(r, b ? ngx_http_sync_test_send(r, b)
                                   : NGX_HTTP_INTERNAL_SERVER_ERROR);
    ngx_http_run_posted_requests(c);
}


static ngx_buf_t *
ngx_http_sync_test_fetch_show(ngx_http_request_t *r,
    ngx_http_sync_test_fetch_t *tf)
{
    size_t             len;
    ngx_buf_t         *b;
    ngx_str_t         *header, none;
    ngx_sync_fetch_t  *f;

    f = tf->fetch;

    ngx_str_null(&none);
    tf->show.data[tf->show.len] = '\0';

    header = ngx_sync_fetch_received(f, (char *) tf->show.data);

    if (header == NULL) {
        header = &none;
    }

    len = ngx_escape_json(NULL, f->answer.data, f->answer.len)
          + ngx_escape_json(NULL, header->data, header->len);

    b = ngx_create_temp_buf(r->pool, f->answer.len + header->len + len + 1024);
    if (b == NULL) {
        return NULL;
    }

    b->last = ngx_sprintf(b->last, "{\"result\":\"%s\",\"error\":\"",
                          ngx_sync_fetch_result(f->result));

    if (f->error) {
        b->last = (u_char *) ngx_escape_json(b->last, (u_char *) f->error,
                                             ngx_strlen(f->error));
    }

    b->last = ngx_sprintf(b->last, "\",\"sent\":%d,\"status\":%ui,"
                          "\"pid\":%P,\"answer\":\"", f->sent, f->status,
                          ngx_pid);
    b->last = (u_char *) ngx_escape_json(b->last, f->answer.data,
                                         f->answer.len);
    b->last = ngx_sprintf(b->last, "\",\"header\":\"");
    b->last = (u_char *) ngx_escape_json(b->last, header->data, header->len);
    b->last = ngx_sprintf(b->last, "\"}");

    return b;
}


/* The client has left. */

static void
ngx_http_sync_test_fetch_cleanup(void *data)
{
    ngx_http_sync_test_fetch_t *tf = data;

    if (tf->fetch) {
        ngx_sync_fetch_free(tf->fetch);
    }
}
