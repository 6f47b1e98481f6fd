
/*
 * Credentials of a connector: who we are to a target.  Nothing in here is a
 * secret itself; all that are stand in the tenant's folder and are named.
 */


#include "sync_body.h"
#include "sync_doc_grammar.h"
#include "sync_jose.h"
#include "sync_url.h"


/* While they are read: what has no default that a table could say. */

typedef struct {
    sync_doc_credential_rec_t  rec;
    uint32_t                   kind;
    uint32_t                   format;   /* of the connector */
    uint32_t                   shared;   /* it is by "upstream" */
    unsigned                   kinds;    /* besides a certificate */
} sync_doc_credential_fill_t;


static sync_rc_t sync_doc_credential_whole(sync_doc_compile_t *c,
    const sync_value_t *v, sync_doc_credential_fill_t *fill);
static sync_rc_t sync_doc_set_kind(sync_doc_compile_t *c,
    const sync_value_t *v, const sync_doc_member_t *m, void *rec);
static sync_rc_t sync_doc_kind_fits(sync_doc_compile_t *c,
    sync_doc_credential_fill_t *fill);
static sync_rc_t sync_doc_kind_token(sync_doc_compile_t *c,
    const sync_value_t *v, sync_doc_credential_fill_t *fill);
static sync_rc_t sync_doc_set_token_url(sync_doc_compile_t *c,
    const sync_value_t *v, const sync_doc_member_t *m, void *rec);
static sync_rc_t sync_doc_set_alg(sync_doc_compile_t *c,
    const sync_value_t *v, const sync_doc_member_t *m, void *rec);
static sync_rc_t sync_doc_set_claims(sync_doc_compile_t *c,
    const sync_value_t *v, const sync_doc_member_t *m, void *rec);
static sync_rc_t sync_doc_set_realm(sync_doc_compile_t *c,
    const sync_value_t *v, const sync_doc_member_t *m, void *rec);
static sync_rc_t sync_doc_set_pointer(sync_doc_compile_t *c,
    const sync_value_t *v, const sync_doc_member_t *m, void *rec);


static const sync_doc_word_t  sync_doc_auth_words[] = {
    { "basic",          SYNC_CLIENT_BASIC, 0 },
    { "post",           SYNC_CLIENT_POST, 0 },
    { "certificate",    SYNC_CLIENT_CERTIFICATE, 0 },
    { NULL,             0, 0 }
};

static const sync_doc_words_t  sync_doc_auths = { "auth", sync_doc_auth_words };


/* The first of each is the default. */

static const sync_doc_word_t  sync_doc_hmac_words[] = {
    { "HMAC-SHA256",    0, 0 },
    { "HMAC-SHA1",      1, 0 },
    { NULL,             0, 0 }
};

static const sync_doc_words_t  sync_doc_hmacs = {
    "method", sync_doc_hmac_words
};

static const sync_doc_word_t  sync_doc_password_words[] = {
    { "PasswordDigest", 0, 0 },
    { "PasswordText",   1, 0 },
    { NULL,             0, 0 }
};

static const sync_doc_words_t  sync_doc_passwords = {
    "type", sync_doc_password_words
};


#define sync_doc_in(member)                                                   \
    offsetof(sync_doc_credential_fill_t, rec.member)

#define sync_doc_secret(name, flags, member)                                  \
    { name, SYNC_DOC_STRING, flags, sync_doc_set_secret,                      \
      sync_doc_in(member), NULL }

#define sync_doc_plain(name, member)                                          \
    { name, SYNC_DOC_STRING, 0, sync_doc_set_text, sync_doc_in(member), NULL }

#define sync_doc_token_url                                                    \
    { "token_url", SYNC_DOC_STRING, SYNC_DOC_REQUIRED,                        \
      sync_doc_set_token_url, sync_doc_in(url), NULL }

#define sync_doc_lifetime                                                     \
    { "lifetime", SYNC_DOC_STRING, 0, sync_doc_set_duration,                  \
      sync_doc_in(lifetime), NULL }

#define sync_doc_client_auth                                                  \
    { "auth", SYNC_DOC_STRING, 0, sync_doc_set_word, sync_doc_in(auth),       \
      &sync_doc_auths }

#define sync_doc_signs                                                        \
    sync_doc_secret("key", SYNC_DOC_REQUIRED, key),                           \
    sync_doc_secret("certificate", 0, key_certificate),                       \
    sync_doc_plain("kid", kid),                                               \
    { "alg", SYNC_DOC_STRING, 0, sync_doc_set_alg, sync_doc_in(alg), NULL },  \
    { "claims", SYNC_DOC_OBJECT, 0, sync_doc_set_claims,                      \
      sync_doc_in(claims), NULL }


static const sync_doc_member_t  sync_doc_basic_table[] = {

    sync_doc_secret("user", SYNC_DOC_REQUIRED, id),
    sync_doc_secret("password", SYNC_DOC_REQUIRED, secret),

    sync_doc_last
};


static const sync_doc_member_t  sync_doc_api_key_table[] = {

    { "header", SYNC_DOC_STRING, SYNC_DOC_REQUIRED, sync_doc_set_header,
      sync_doc_in(header), &sync_doc_own_headers },

    sync_doc_secret("value", SYNC_DOC_REQUIRED, secret),

    sync_doc_last
};


static const sync_doc_member_t  sync_doc_client_table[] = {

    sync_doc_token_url,
    sync_doc_secret("client_id", SYNC_DOC_REQUIRED, id),
    sync_doc_secret("client_secret", 0, secret),
    sync_doc_client_auth,
    sync_doc_plain("scope", scope),
    sync_doc_plain("audience", audience),
    sync_doc_plain("resource", resource),
    sync_doc_lifetime,

    sync_doc_last
};


static const sync_doc_member_t  sync_doc_key_jwt_table[] = {

    sync_doc_token_url,
    sync_doc_secret("client_id", SYNC_DOC_REQUIRED, id),
    sync_doc_signs,
    sync_doc_plain("scope", scope),
    sync_doc_plain("audience", audience),
    sync_doc_plain("resource", resource),
    sync_doc_lifetime,

    sync_doc_last
};


static const sync_doc_member_t  sync_doc_jwt_bearer_table[] = {

    sync_doc_token_url,
    sync_doc_secret("client_id", 0, id),
    sync_doc_secret("client_secret", 0, secret),
    sync_doc_client_auth,
    sync_doc_signs,
    sync_doc_plain("scope", scope),
    sync_doc_plain("audience", audience),
    sync_doc_plain("resource", resource),
    sync_doc_lifetime,

    sync_doc_last
};


static const sync_doc_member_t  sync_doc_oauth1_table[] = {

    sync_doc_secret("consumer_key", SYNC_DOC_REQUIRED, id),
    sync_doc_secret("consumer_secret", SYNC_DOC_REQUIRED, secret),
    sync_doc_secret("token", SYNC_DOC_REQUIRED, token),
    sync_doc_secret("token_secret", SYNC_DOC_REQUIRED, token_secret),

    { "realm", SYNC_DOC_STRING, 0, sync_doc_set_realm, sync_doc_in(realm),
      NULL },

    { "method", SYNC_DOC_STRING, 0, sync_doc_set_word, sync_doc_in(method),
      &sync_doc_hmacs },

    sync_doc_last
};


static const sync_doc_member_t  sync_doc_body_table[] = {

    { "pointer", SYNC_DOC_STRING, SYNC_DOC_REQUIRED, sync_doc_set_pointer,
      sync_doc_in(pointer), NULL },

    sync_doc_secret("value", SYNC_DOC_REQUIRED, secret),

    sync_doc_last
};


static const sync_doc_member_t  sync_doc_wsse_table[] = {

    sync_doc_secret("user", SYNC_DOC_REQUIRED, id),
    sync_doc_secret("password", SYNC_DOC_REQUIRED, secret),

    { "type", SYNC_DOC_STRING, 0, sync_doc_set_word, sync_doc_in(method),
      &sync_doc_passwords },

    sync_doc_last
};


static const sync_doc_member_t  sync_doc_certificate_table[] = {

    sync_doc_secret("certificate", SYNC_DOC_REQUIRED, certificate),
    sync_doc_secret("key", SYNC_DOC_REQUIRED, certificate_key),

    sync_doc_last
};


/* The certificate comes first: others ask whether there is one. */

#define sync_doc_kind_of(name, kind, table)                                   \
    { name, SYNC_DOC_OBJECT, 0, sync_doc_set_kind, kind, table }

static const sync_doc_member_t  sync_doc_credentials_table[] = {

    sync_doc_kind_of("certificate", SYNC_CREDENTIALS_CERTIFICATE,
                     sync_doc_certificate_table),
    sync_doc_kind_of("basic", SYNC_CREDENTIALS_BASIC, sync_doc_basic_table),
    sync_doc_kind_of("api_key", SYNC_CREDENTIALS_API_KEY,
                     sync_doc_api_key_table),
    sync_doc_kind_of("client_credentials", SYNC_CREDENTIALS_CLIENT,
                     sync_doc_client_table),
    sync_doc_kind_of("private_key_jwt", SYNC_CREDENTIALS_KEY_JWT,
                     sync_doc_key_jwt_table),
    sync_doc_kind_of("jwt_bearer", SYNC_CREDENTIALS_JWT_BEARER,
                     sync_doc_jwt_bearer_table),
    sync_doc_kind_of("oauth1", SYNC_CREDENTIALS_OAUTH1,
                     sync_doc_oauth1_table),
    sync_doc_kind_of("body", SYNC_CREDENTIALS_BODY, sync_doc_body_table),
    sync_doc_kind_of("wsse", SYNC_CREDENTIALS_WSSE, sync_doc_wsse_table),

    sync_doc_last
};


sync_rc_t
sync_doc_set_credentials(sync_doc_compile_t *c, const sync_value_t *v,
    const sync_doc_member_t *m, void *rec)
{
    uint32_t                     off;
    sync_rc_t                    rc;
    sync_doc_connector_rec_t    *connector = rec;
    sync_doc_credential_fill_t   fill;

    (void) m;

    memset(&fill, 0, sizeof(fill));
    fill.format = connector->format;
    fill.shared = connector->upstream.n;

    rc = sync_doc_walk(c, v, sync_doc_credentials_table, &fill);

    if (rc == SYNC_OK) {
        rc = sync_doc_credential_whole(c, v, &fill);
    }

    if (rc == SYNC_OK) {
        rc = sync_doc_room(c, 1, sizeof(fill.rec), &off);
    }

    if (rc != SYNC_OK) {
        return rc;
    }

    sync_doc_write(c, off, 0, &fill.rec, sizeof(fill.rec));

    connector->credentials = fill.kind;
    connector->credential.off = off;
    connector->credential.n = 1;

    return SYNC_OK;
}


static sync_rc_t
sync_doc_credential_whole(sync_doc_compile_t *c, const sync_value_t *v,
    sync_doc_credential_fill_t *fill)
{
    if (fill->kinds > 1 || sync_value_count(v) == 0) {
        return sync_doc_refuse(c, "value", "names %s; it is exactly one of "
                               "\"basic\", \"api_key\", "
                               "\"client_credentials\", \"private_key_jwt\", "
                               "\"jwt_bearer\", \"oauth1\", \"body\" and "
                               "\"wsse\", with or without a \"certificate\"",
                               fill->kinds ? "several" : "none");
    }

    return SYNC_OK;
}


/* The table's offset is the kind. */

static sync_rc_t
sync_doc_set_kind(sync_doc_compile_t *c, const sync_value_t *v,
    const sync_doc_member_t *m, void *rec)
{
    sync_rc_t                    rc;
    sync_doc_credential_fill_t  *fill = rec;

    fill->kind = (uint32_t) m->offset;
    fill->kinds += (fill->kind != SYNC_CREDENTIALS_CERTIFICATE);

    rc = sync_doc_kind_fits(c, fill);

    if (rc == SYNC_OK) {
        rc = sync_doc_walk(c, v, m->data, rec);
    }

    if (rc == SYNC_OK && sync_doc_credentials_token(fill->kind)) {
        rc = sync_doc_kind_token(c, v, fill);
    }

    return rc;
}


/* What a kind asks of its connector. */

static sync_rc_t
sync_doc_kind_fits(sync_doc_compile_t *c, sync_doc_credential_fill_t *fill)
{
    int  soap;

    if (fill->kind == SYNC_CREDENTIALS_CERTIFICATE && fill->shared) {
        return sync_doc_refuse(c, "value", "needs \"url\": the connections of "
                               "an \"upstream\" are shared by all tenants, and "
                               "with them whose certificate they bear");
    }

    soap = fill->format == SYNC_FORMAT_SOAP_11
           || fill->format == SYNC_FORMAT_SOAP_12;

    if (fill->kind == SYNC_CREDENTIALS_WSSE && !soap) {
        return sync_doc_refuse(c, "value", "is a header of SOAP's envelope, "
                               "and \"format\" is another");
    }

    if (fill->kind == SYNC_CREDENTIALS_BODY
        && fill->format != SYNC_FORMAT_JSON_RPC
        && !sync_format_is_json((sync_format_e) fill->format))
    {
        return sync_doc_refuse(c, "value", "points into JSON, and \"format\" "
                               "is another");
    }

    return SYNC_OK;
}


static sync_rc_t
sync_doc_kind_token(sync_doc_compile_t *c, const sync_value_t *v,
    sync_doc_credential_fill_t *fill)
{
    sync_doc_credential_rec_t  *rec = &fill->rec;

    if (rec->auth == SYNC_CLIENT_CERTIFICATE && rec->certificate.n == 0) {
        return sync_doc_refuse_at(c, "auth", "value", "needs a "
                                  "\"certificate\" beside it in "
                                  "\"credentials\"");
    }

    if (fill->kind == SYNC_CREDENTIALS_CLIENT
        && rec->secret.n == 0 && rec->auth != SYNC_CLIENT_CERTIFICATE)
    {
        return sync_doc_refuse(c, "missing-member",
                               "\"client_secret\" is missing");
    }

    if (rec->auth == SYNC_CLIENT_CERTIFICATE && rec->secret.n) {
        return sync_doc_refuse_at(c, "client_secret", "value", "goes nowhere: "
                                  "the client is known by its certificate");
    }

    if (fill->kind != SYNC_CREDENTIALS_JWT_BEARER) {
        return SYNC_OK;
    }

    if (rec->secret.n && rec->id.n == 0) {
        return sync_doc_refuse(c, "missing-member", "\"client_id\" is missing: "
                               "a secret is that of a client");
    }

    if (rec->id.n == 0
        && sync_value_get(sync_value_get(v, "claims"), "iss") == NULL)
    {
        return sync_doc_refuse(c, "missing-member", "\"claims\" has no "
                               "\"iss\", which is the \"client_id\" where one "
                               "is named");
    }

    return SYNC_OK;
}


static sync_rc_t
sync_doc_set_token_url(sync_doc_compile_t *c, const sync_value_t *v,
    const sync_doc_member_t *m, void *rec)
{
    sync_rc_t     rc;
    sync_url_t    url;
    sync_error_t  err;

    memset(&err, 0, sizeof(err));

    rc = sync_url_parse(&url, sync_value_str(v), &err);

    if (rc == SYNC_OK && c->options->egress != NULL) {
        rc = c->options->egress(c->options->data, &url, &err);
    }

    if (rc != SYNC_OK) {
        return sync_doc_refuse(c, "value", "%s", err.text);
    }

    return sync_doc_set_text(c, v, m, rec);
}


/* With a private key of the tenant's own: never HS. */

static sync_rc_t
sync_doc_set_alg(sync_doc_compile_t *c, const sync_value_t *v,
    const sync_doc_member_t *m, void *rec)
{
    sync_alg_e  alg;

    alg = sync_alg_find(sync_value_str(v));

    if (alg == SYNC_ALG_NONE || alg >= SYNC_ALG_HS256) {
        return sync_doc_refuse(c, "value", "is not one of RS256, RS384, "
                               "RS512, PS256, PS384, PS512, ES256, ES384, "
                               "ES512 and EdDSA");
    }

    return sync_doc_set_text(c, v, m, rec);
}


/*
 * Claims besides our own, any JSON; a string "secret:NAME" stands for a secret.
 * Times and the id of an assertion are made anew for each.
 */

static sync_rc_t
sync_doc_set_claims(sync_doc_compile_t *c, const sync_value_t *v,
    const sync_doc_member_t *m, void *rec)
{
    unsigned              uses;
    sync_rc_t             rc;
    sync_str_t            text;
    const char          **name;
    sync_json_t           json;
    sync_error_t          err;
    sync_json_limits_t    limits;

    static const char    *made[] = { "exp", "iat", "jti", "nbf", NULL };

    for (name = made; *name; name++) {
        if (sync_value_get(v, *name)) {
            return sync_doc_refuse_at(c, *name, "value", "is made anew for "
                                      "each assertion");
        }
    }

    text = sync_value_dump(v, c->arena);

    if (text.data == NULL) {
        return SYNC_FAULT;
    }

    if (text.len > SYNC_DOC_TEXT) {
        return sync_doc_refuse(c, "value", "is longer than %d bytes",
                               SYNC_DOC_TEXT);
    }

    memset(&limits, 0, sizeof(limits));

    rc = sync_json_parse(&json, c->arena, text, &limits, &err);

    if (rc == SYNC_OK) {
        rc = sync_body_check(&json, c->arena, &uses, &err);
    }

    if (rc == SYNC_NO || (rc == SYNC_OK && (uses & ~SYNC_BODY_SECRET))) {
        return sync_doc_refuse(c, "template", "has a placeholder; "
                               "\"secret:NAME\" is the one for claims");
    }

    if (rc != SYNC_OK) {
        return rc;
    }

    return sync_doc_string(c, text, (sync_doc_ref_t *)
                                    (void *) ((unsigned char *) rec
                                              + m->offset));
}


/* It stands in quotes, in a header. */

static sync_rc_t
sync_doc_set_realm(sync_doc_compile_t *c, const sync_value_t *v,
    const sync_doc_member_t *m, void *rec)
{
    size_t      i;
    sync_str_t  s;

    s = sync_value_str(v);

    for (i = 0; i < s.len; i++) {
        if (s.data[i] < 0x20 || s.data[i] > 0x7e || s.data[i] == '"'
            || s.data[i] == '\\')
        {
            return sync_doc_refuse(c, "value", "is not printable ASCII "
                                   "without quotes and backslashes");
        }
    }

    return sync_doc_set_text(c, v, m, rec);
}


static sync_rc_t
sync_doc_set_pointer(sync_doc_compile_t *c, const sync_value_t *v,
    const sync_doc_member_t *m, void *rec)
{
    if (!sync_doc_pointer_ok(sync_value_str(v))) {
        return sync_doc_refuse(c, "value", "is not a JSON Pointer like "
                               "\"/params/args/2\"");
    }

    return sync_doc_set_text(c, v, m, rec);
}
