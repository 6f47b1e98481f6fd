
/*
 * Idle connections to peers by URL, and sessions of TLS.
 *
 * A place is what must be the same for two requests to share a connection: name
 * and port, name and settings of TLS, certificate of ours.  Two tenants whose
 * systems stand behind one address are two places.
 */


#include "ngx_http_sync_peers.h"


#define NGX_HTTP_SYNC_PEERS_PLACES  512      /* that nobody uses */


typedef struct {
    ngx_queue_t                   queue;     /* of the place */
    ngx_queue_t                   all;       /* of the worker */
    ngx_http_sync_peers_place_t  *place;     /* with a reference */
    ngx_connection_t             *connection;
    socklen_t                     socklen;
    ngx_sockaddr_t                sockaddr;
} ngx_http_sync_peers_idle_t;


struct ngx_http_sync_peers_place_s {
    ngx_rbtree_node_t             node;
    ngx_queue_t                   queue;     /* while nobody uses it */
    ngx_queue_t                   idle;      /* the last used first */
    ngx_uint_t                    nidle;
    ngx_uint_t                    refs;      /* requests, idle connections */
    u_char                        key[NGX_HTTP_SYNC_PEERS_KEY];
#if (NGX_HTTP_SSL)
    ngx_ssl_session_t            *session;
#endif
};


static void ngx_http_sync_peers_init_pool(void);
static void ngx_http_sync_peers_insert(ngx_rbtree_node_t *temp,
    ngx_rbtree_node_t *node, ngx_rbtree_node_t *sentinel);
static ngx_http_sync_peers_place_t *ngx_http_sync_peers_lookup(u_char *key);
static void ngx_http_sync_peers_forget(ngx_http_sync_peers_place_t *place);
static ngx_http_sync_peers_idle_t *ngx_http_sync_peers_find_idle(
    ngx_http_sync_peers_place_t *place, ngx_http_sync_peers_addr_t *addr);
static void ngx_http_sync_peers_unlink(ngx_http_sync_peers_idle_t *item);
static ngx_uint_t ngx_http_sync_peers_gone(ngx_connection_t *c);
static void ngx_http_sync_peers_drop(ngx_http_sync_peers_idle_t *item);
static void ngx_http_sync_peers_close(ngx_connection_t *c);
static void ngx_http_sync_peers_idle_read(ngx_event_t *ev);
static void ngx_http_sync_peers_idle_write(ngx_event_t *ev);


static struct {
    ngx_rbtree_t       tree;
    ngx_rbtree_node_t  sentinel;
    ngx_queue_t        unused;               /* places; the last used first */
    ngx_uint_t         nunused;
    ngx_queue_t        idle;                 /* connections, likewise */
    ngx_uint_t         nidle;
} ngx_http_sync_pool;


static void
ngx_http_sync_peers_init_pool(void)
{
    if (ngx_http_sync_pool.tree.root != NULL) {
        return;
    }

    ngx_rbtree_init(&ngx_http_sync_pool.tree, &ngx_http_sync_pool.sentinel,
                    ngx_http_sync_peers_insert);

    ngx_queue_init(&ngx_http_sync_pool.unused);
    ngx_queue_init(&ngx_http_sync_pool.idle);
}


ngx_http_sync_peers_place_t *
ngx_http_sync_peers_place(u_char key[NGX_HTTP_SYNC_PEERS_KEY])
{
    ngx_http_sync_peers_place_t  *place;

    ngx_http_sync_peers_init_pool();

    place = ngx_http_sync_peers_lookup(key);

    if (place != NULL) {

        if (place->refs++ == 0) {
            ngx_queue_remove(&place->queue);
            ngx_http_sync_pool.nunused--;
        }

        return place;
    }

    place = ngx_calloc(sizeof(ngx_http_sync_peers_place_t), ngx_cycle->log);
    if (place == NULL) {
        return NULL;
    }

    ngx_memcpy(place->key, key, NGX_HTTP_SYNC_PEERS_KEY);
    ngx_memcpy(&place->node.key, key, sizeof(place->node.key));
    ngx_queue_init(&place->idle);

    place->refs = 1;

    ngx_rbtree_insert(&ngx_http_sync_pool.tree, &place->node);

    return place;
}


static ngx_http_sync_peers_place_t *
ngx_http_sync_peers_lookup(u_char *key)
{
    ngx_int_t                     cmp;
    ngx_rbtree_key_t              hash;
    ngx_rbtree_node_t            *node, *sentinel;
    ngx_http_sync_peers_place_t  *place;

    ngx_memcpy(&hash, key, sizeof(hash));

    node = ngx_http_sync_pool.tree.root;
    sentinel = ngx_http_sync_pool.tree.sentinel;

    while (node != sentinel) {

        if (hash != node->key) {
            node = hash < node->key ? node->left : node->right;
            continue;
        }

        place = (ngx_http_sync_peers_place_t *) node;
        cmp = ngx_memcmp(key, place->key, NGX_HTTP_SYNC_PEERS_KEY);

        if (cmp == 0) {
            return place;
        }

        node = cmp < 0 ? node->left : node->right;
    }

    return NULL;
}


static void
ngx_http_sync_peers_insert(ngx_rbtree_node_t *temp, ngx_rbtree_node_t *node,
    ngx_rbtree_node_t *sentinel)
{
    ngx_int_t             cmp;
    ngx_rbtree_node_t   **p;

    for ( ;; ) {

        if (node->key != temp->key) {
            cmp = node->key < temp->key ? -1 : 1;

        } else {
            cmp = ngx_memcmp(((ngx_http_sync_peers_place_t *) node)->key,
                             ((ngx_http_sync_peers_place_t *) temp)->key,
                             NGX_HTTP_SYNC_PEERS_KEY);
        }

        p = cmp < 0 ? &temp->left : &temp->right;

        if (*p == sentinel) {
            break;
        }

        temp = *p;
    }

    *p = node;
    node->parent = temp;
    node->left = sentinel;
    node->right = sentinel;
    ngx_rbt_red(node);
}


/* One that nobody uses stays for its session, among so many. */

void
ngx_http_sync_peers_leave(ngx_http_sync_peers_place_t *place)
{
    ngx_queue_t  *q;

    if (--place->refs) {
        return;
    }

    ngx_queue_insert_head(&ngx_http_sync_pool.unused, &place->queue);

    if (++ngx_http_sync_pool.nunused <= NGX_HTTP_SYNC_PEERS_PLACES) {
        return;
    }

    q = ngx_queue_last(&ngx_http_sync_pool.unused);

    ngx_http_sync_peers_forget(ngx_queue_data(q, ngx_http_sync_peers_place_t,
                                              queue));
}


static void
ngx_http_sync_peers_forget(ngx_http_sync_peers_place_t *place)
{
    ngx_queue_remove(&place->queue);
    ngx_http_sync_pool.nunused--;

    ngx_rbtree_delete(&ngx_http_sync_pool.tree, &place->node);

#if (NGX_HTTP_SSL)
    ngx_http_sync_peers_drop_session(place);
#endif

    ngx_free(place);
}


static ngx_http_sync_peers_idle_t *
ngx_http_sync_peers_find_idle(ngx_http_sync_peers_place_t *place,
    ngx_http_sync_peers_addr_t *addr)
{
    ngx_queue_t                 *q;
    ngx_http_sync_peers_idle_t  *item;

    for (q = ngx_queue_head(&place->idle);
         q != ngx_queue_sentinel(&place->idle);
         q = ngx_queue_next(q))
    {
        item = ngx_queue_data(q, ngx_http_sync_peers_idle_t, queue);

        if (ngx_memn2cmp((u_char *) &item->sockaddr,
                         (u_char *) &addr->sockaddr, item->socklen,
                         addr->socklen)
            == 0)
        {
            return item;
        }
    }

    return NULL;
}


ngx_uint_t
ngx_http_sync_peers_idle(ngx_http_sync_peers_place_t *place,
    ngx_http_sync_peers_addr_t *addr)
{
    return ngx_http_sync_peers_find_idle(place, addr) != NULL;
}


ngx_connection_t *
ngx_http_sync_peers_take(ngx_http_sync_peers_place_t *place,
    ngx_http_sync_peers_addr_t *addr, ngx_log_t *log)
{
    ngx_connection_t            *c;
    ngx_http_sync_peers_idle_t  *item;

    for ( ;; ) {
        item = ngx_http_sync_peers_find_idle(place, addr);

        if (item == NULL) {
            return NULL;
        }

        c = item->connection;

        /* its end may be known to the kernel, and not yet to us */

        if (!ngx_http_sync_peers_gone(c)) {
            break;
        }

        ngx_http_sync_peers_drop(item);
    }

    ngx_http_sync_peers_unlink(item);

    if (c->read->timer_set) {
        ngx_del_timer(c->read);
    }

    c->idle = 0;
    c->sent = 0;
    c->data = NULL;
    c->log = log;
    c->read->log = log;
    c->write->log = log;
    c->pool->log = log;

    return c;
}


ngx_int_t
ngx_http_sync_peers_keep(ngx_http_sync_peers_place_t *place,
    ngx_http_sync_peers_conf_t *conf, ngx_http_sync_peers_addr_t *addr,
    ngx_connection_t *c)
{
    ngx_queue_t                 *q;
    ngx_http_sync_peers_idle_t  *item;

    if (conf->keepalive == 0 || ngx_handle_read_event(c->read, 0) != NGX_OK) {
        return NGX_DECLINED;
    }

    if (place->nidle == conf->keepalive) {
        q = ngx_queue_last(&place->idle);
        ngx_http_sync_peers_drop(ngx_queue_data(q, ngx_http_sync_peers_idle_t,
                                                queue));

    } else if (ngx_http_sync_pool.nidle == conf->total) {
        q = ngx_queue_last(&ngx_http_sync_pool.idle);
        ngx_http_sync_peers_drop(ngx_queue_data(q, ngx_http_sync_peers_idle_t,
                                                all));
    }

    item = ngx_alloc(sizeof(ngx_http_sync_peers_idle_t), c->log);
    if (item == NULL) {
        return NGX_DECLINED;
    }

    item->place = place;
    item->connection = c;
    item->socklen = addr->socklen;
    item->sockaddr = addr->sockaddr;

    ngx_queue_insert_head(&place->idle, &item->queue);
    ngx_queue_insert_head(&ngx_http_sync_pool.idle, &item->all);

    place->refs++;
    place->nidle++;
    ngx_http_sync_pool.nidle++;

    c->read->delayed = 0;
    ngx_add_timer(c->read, conf->timeout);

    if (c->write->timer_set) {
        ngx_del_timer(c->write);
    }

    c->read->handler = ngx_http_sync_peers_idle_read;
    c->write->handler = ngx_http_sync_peers_idle_write;

    c->data = item;
    c->idle = 1;
    c->log = ngx_cycle->log;
    c->read->log = ngx_cycle->log;
    c->write->log = ngx_cycle->log;
    c->pool->log = ngx_cycle->log;

    if (c->read->ready) {
        ngx_http_sync_peers_idle_read(c->read);
    }

    return NGX_OK;
}


static void
ngx_http_sync_peers_unlink(ngx_http_sync_peers_idle_t *item)
{
    ngx_queue_remove(&item->queue);
    ngx_queue_remove(&item->all);

    item->place->nidle--;
    ngx_http_sync_pool.nidle--;

    ngx_http_sync_peers_leave(item->place);

    ngx_free(item);
}


static void
ngx_http_sync_peers_drop(ngx_http_sync_peers_idle_t *item)
{
    ngx_connection_t  *c;

    c = item->connection;

    ngx_http_sync_peers_unlink(item);
    ngx_http_sync_peers_close(c);
}


/* Nothing is due on an idle connection: what can be read is its end. */

static ngx_uint_t
ngx_http_sync_peers_gone(ngx_connection_t *c)
{
    u_char  byte;

    return recv(c->fd, &byte, 1, MSG_PEEK) != -1
           || ngx_socket_errno != NGX_EAGAIN;
}


static void
ngx_http_sync_peers_idle_read(ngx_event_t *ev)
{
    ngx_connection_t  *c;

    c = ev->data;

    /* c->close: the worker is told to quit */

    if (!c->close && !ev->timedout && !ngx_http_sync_peers_gone(c)) {
        ev->ready = 0;

        if (ngx_handle_read_event(ev, 0) == NGX_OK) {
            return;
        }
    }

    ngx_http_sync_peers_drop(c->data);
}


static void
ngx_http_sync_peers_idle_write(ngx_event_t *ev)
{
    ngx_log_debug0(NGX_LOG_DEBUG_HTTP, ev->log, 0, "sync peers: idle write");
}


static void
ngx_http_sync_peers_close(ngx_connection_t *c)
{
#if (NGX_HTTP_SSL)

    if (c->ssl != NULL) {
        c->ssl->no_wait_shutdown = 1;
        c->ssl->no_send_shutdown = 1;

        if (ngx_ssl_shutdown(c) == NGX_AGAIN) {
            c->ssl->handler = ngx_http_sync_peers_close;
            return;
        }
    }

#endif

    ngx_destroy_pool(c->pool);
    ngx_close_connection(c);
}


#if (NGX_HTTP_SSL)

ngx_int_t
ngx_http_sync_peers_set_session(ngx_http_sync_peers_place_t *place,
    ngx_connection_t *c)
{
    return ngx_ssl_set_session(c, place->session);
}


void
ngx_http_sync_peers_save_session(ngx_http_sync_peers_place_t *place,
    ngx_connection_t *c)
{
    ngx_ssl_session_t  *session;

    session = ngx_ssl_get_session(c);

    if (session == NULL) {
        return;
    }

    ngx_http_sync_peers_drop_session(place);

    place->session = session;
}


void
ngx_http_sync_peers_drop_session(ngx_http_sync_peers_place_t *place)
{
    if (place->session != NULL) {
        ngx_ssl_free_session(place->session);
        place->session = NULL;
    }
}

#endif


void
ngx_http_sync_peers_pool_exit(void)
{
    ngx_queue_t  *q;

    if (ngx_http_sync_pool.tree.root == NULL) {
        return;
    }

    while (!ngx_queue_empty(&ngx_http_sync_pool.idle)) {
        q = ngx_queue_head(&ngx_http_sync_pool.idle);
        ngx_http_sync_peers_drop(ngx_queue_data(q, ngx_http_sync_peers_idle_t,
                                                all));
    }

    while (!ngx_queue_empty(&ngx_http_sync_pool.unused)) {
        q = ngx_queue_head(&ngx_http_sync_pool.unused);
        ngx_http_sync_peers_forget(ngx_queue_data(q,
                                                  ngx_http_sync_peers_place_t,
                                                  queue));
    }
}
