
/*
 * Dialects: which keywords a schema may use, by its "$schema".
 */


#include "sync_doc_grammar.h"
#include "sync_schema_impl.h"


static sync_rc_t sync_schema_vocabulary(sync_schema_load_t *load,
    const sync_schema_resource_t *meta, sync_schema_dialect_t *dialect);


static const sync_keyword_t  sync_keywords[] = {
    { "$schema", SYNC_VOCAB_CORE, 1, SYNC_KEYWORD_PLAIN },
    { "$id", SYNC_VOCAB_CORE, 1, SYNC_KEYWORD_PLAIN },
    { "$ref", SYNC_VOCAB_CORE, 1, SYNC_KEYWORD_PLAIN },
    { "$comment", SYNC_VOCAB_CORE, 1, SYNC_KEYWORD_PLAIN },
    { "$anchor", SYNC_VOCAB_CORE, 0, SYNC_KEYWORD_PLAIN },
    { "$dynamicRef", SYNC_VOCAB_CORE, 0, SYNC_KEYWORD_PLAIN },
    { "$dynamicAnchor", SYNC_VOCAB_CORE, 0, SYNC_KEYWORD_PLAIN },
    { "$vocabulary", SYNC_VOCAB_CORE, 0, SYNC_KEYWORD_PLAIN },
    { "$defs", SYNC_VOCAB_CORE, 0, SYNC_KEYWORD_MAP },

    /* deprecated in 2020-12, whose meta-schema still has both */

    { "definitions", SYNC_VOCAB_CORE, 1, SYNC_KEYWORD_MAP },
    { "dependencies", SYNC_VOCAB_APPLICATOR, 1, SYNC_KEYWORD_DEPENDENCIES },

    { "allOf", SYNC_VOCAB_APPLICATOR, 1, SYNC_KEYWORD_LIST },
    { "anyOf", SYNC_VOCAB_APPLICATOR, 1, SYNC_KEYWORD_LIST },
    { "oneOf", SYNC_VOCAB_APPLICATOR, 1, SYNC_KEYWORD_LIST },
    { "not", SYNC_VOCAB_APPLICATOR, 1, SYNC_KEYWORD_SCHEMA },
    { "if", SYNC_VOCAB_APPLICATOR, 1, SYNC_KEYWORD_SCHEMA },
    { "then", SYNC_VOCAB_APPLICATOR, 1, SYNC_KEYWORD_SCHEMA },
    { "else", SYNC_VOCAB_APPLICATOR, 1, SYNC_KEYWORD_SCHEMA },
    { "dependentSchemas", SYNC_VOCAB_APPLICATOR, 0, SYNC_KEYWORD_MAP },
    { "prefixItems", SYNC_VOCAB_APPLICATOR, 0, SYNC_KEYWORD_LIST },
    { "items", SYNC_VOCAB_APPLICATOR, 1, SYNC_KEYWORD_ITEMS },
    { "additionalItems", 0, 1, SYNC_KEYWORD_SCHEMA },
    { "contains", SYNC_VOCAB_APPLICATOR, 1, SYNC_KEYWORD_SCHEMA },
    { "properties", SYNC_VOCAB_APPLICATOR, 1, SYNC_KEYWORD_MAP },
    { "patternProperties", SYNC_VOCAB_APPLICATOR, 1, SYNC_KEYWORD_MAP },
    { "additionalProperties", SYNC_VOCAB_APPLICATOR, 1,
      SYNC_KEYWORD_SCHEMA },
    { "propertyNames", SYNC_VOCAB_APPLICATOR, 1, SYNC_KEYWORD_SCHEMA },

    { "unevaluatedItems", SYNC_VOCAB_UNEVALUATED, 0, SYNC_KEYWORD_SCHEMA },
    { "unevaluatedProperties", SYNC_VOCAB_UNEVALUATED, 0,
      SYNC_KEYWORD_SCHEMA },

    { "type", SYNC_VOCAB_VALIDATION, 1, SYNC_KEYWORD_PLAIN },
    { "const", SYNC_VOCAB_VALIDATION, 1, SYNC_KEYWORD_PLAIN },
    { "enum", SYNC_VOCAB_VALIDATION, 1, SYNC_KEYWORD_PLAIN },
    { "multipleOf", SYNC_VOCAB_VALIDATION, 1, SYNC_KEYWORD_PLAIN },
    { "maximum", SYNC_VOCAB_VALIDATION, 1, SYNC_KEYWORD_PLAIN },
    { "exclusiveMaximum", SYNC_VOCAB_VALIDATION, 1, SYNC_KEYWORD_PLAIN },
    { "minimum", SYNC_VOCAB_VALIDATION, 1, SYNC_KEYWORD_PLAIN },
    { "exclusiveMinimum", SYNC_VOCAB_VALIDATION, 1, SYNC_KEYWORD_PLAIN },
    { "maxLength", SYNC_VOCAB_VALIDATION, 1, SYNC_KEYWORD_PLAIN },
    { "minLength", SYNC_VOCAB_VALIDATION, 1, SYNC_KEYWORD_PLAIN },
    { "pattern", SYNC_VOCAB_VALIDATION, 1, SYNC_KEYWORD_PLAIN },
    { "maxItems", SYNC_VOCAB_VALIDATION, 1, SYNC_KEYWORD_PLAIN },
    { "minItems", SYNC_VOCAB_VALIDATION, 1, SYNC_KEYWORD_PLAIN },
    { "uniqueItems", SYNC_VOCAB_VALIDATION, 1, SYNC_KEYWORD_PLAIN },
    { "maxContains", SYNC_VOCAB_VALIDATION, 0, SYNC_KEYWORD_PLAIN },
    { "minContains", SYNC_VOCAB_VALIDATION, 0, SYNC_KEYWORD_PLAIN },
    { "maxProperties", SYNC_VOCAB_VALIDATION, 1, SYNC_KEYWORD_PLAIN },
    { "minProperties", SYNC_VOCAB_VALIDATION, 1, SYNC_KEYWORD_PLAIN },
    { "required", SYNC_VOCAB_VALIDATION, 1, SYNC_KEYWORD_PLAIN },
    { "dependentRequired", SYNC_VOCAB_VALIDATION, 0, SYNC_KEYWORD_PLAIN },

    { "format", SYNC_VOCAB_FORMAT | SYNC_VOCAB_ASSERT, 1,
      SYNC_KEYWORD_PLAIN },

    { "title", SYNC_VOCAB_META, 1, SYNC_KEYWORD_PLAIN },
    { "description", SYNC_VOCAB_META, 1, SYNC_KEYWORD_PLAIN },
    { "default", SYNC_VOCAB_META, 1, SYNC_KEYWORD_PLAIN },
    { "deprecated", SYNC_VOCAB_META, 0, SYNC_KEYWORD_PLAIN },
    { "readOnly", SYNC_VOCAB_META, 1, SYNC_KEYWORD_PLAIN },
    { "writeOnly", SYNC_VOCAB_META, 1, SYNC_KEYWORD_PLAIN },
    { "examples", SYNC_VOCAB_META, 1, SYNC_KEYWORD_PLAIN },

    { "contentEncoding", SYNC_VOCAB_CONTENT, 1, SYNC_KEYWORD_PLAIN },
    { "contentMediaType", SYNC_VOCAB_CONTENT, 1, SYNC_KEYWORD_PLAIN },
    { "contentSchema", SYNC_VOCAB_CONTENT, 0, SYNC_KEYWORD_SCHEMA }
};

#define SYNC_KEYWORDS  (sizeof(sync_keywords) / sizeof(sync_keywords[0]))


/* Keywords of other drafts, and what says the same here. */

static const struct {
    const char  *name;
    const char  *instead_2020_12;
    const char  *instead_draft_07;
} sync_keywords_elsewhere[] = {
    { "$recursiveRef", "\"$dynamicRef\"", "\"$ref\"" },
    { "$recursiveAnchor", "\"$dynamicAnchor\"", "\"$id\"" },
    { "id", "\"$id\"", "\"$id\"" },
    { "divisibleBy", "\"multipleOf\"", "\"multipleOf\"" },
    { "disallow", "\"not\"", "\"not\"" },
    { "extends", "\"allOf\"", "\"allOf\"" },
    { "nullable", "\"null\" among the types", "\"null\" among the types" },
    { "example", "\"examples\"", "\"examples\"" },
    { "additionalItems", "\"items\" behind \"prefixItems\"", NULL },
    { "$anchor", NULL, "\"$id\" with a fragment" },
    { "$defs", NULL, "\"definitions\"" },
    { "$dynamicRef", NULL, "\"$ref\"" },
    { "prefixItems", NULL, "an array in \"items\"" },
    { "dependentRequired", NULL, "\"dependencies\"" },
    { "dependentSchemas", NULL, "\"dependencies\"" }
};


static const struct {
    const char  *uri;
    unsigned     vocab;
} sync_vocabularies[] = {
    { "https://json-schema.org/draft/2020-12/vocab/core", SYNC_VOCAB_CORE },
    { "https://json-schema.org/draft/2020-12/vocab/applicator",
      SYNC_VOCAB_APPLICATOR },
    { "https://json-schema.org/draft/2020-12/vocab/unevaluated",
      SYNC_VOCAB_UNEVALUATED },
    { "https://json-schema.org/draft/2020-12/vocab/validation",
      SYNC_VOCAB_VALIDATION },
    { "https://json-schema.org/draft/2020-12/vocab/meta-data",
      SYNC_VOCAB_META },
    { "https://json-schema.org/draft/2020-12/vocab/format-annotation",
      SYNC_VOCAB_FORMAT },
    { "https://json-schema.org/draft/2020-12/vocab/format-assertion",
      SYNC_VOCAB_ASSERT },
    { "https://json-schema.org/draft/2020-12/vocab/content",
      SYNC_VOCAB_CONTENT }
};


static const char  *sync_drafts_elsewhere[] = {
    "http://json-schema.org/schema", "http://json-schema.org/draft-03/schema",
    "http://json-schema.org/draft-04/schema",
    "http://json-schema.org/draft-06/schema",
    "https://json-schema.org/draft/2019-09/schema"
};


const sync_keyword_t *
sync_schema_keyword(const sync_schema_dialect_t *dialect, sync_str_t name)
{
    size_t                 i;
    const sync_keyword_t  *k;

    for (i = 0; i < SYNC_KEYWORDS; i++) {
        k = &sync_keywords[i];

        if (!sync_str_is(name, k->name)) {
            continue;
        }

        if (dialect->draft == SYNC_SCHEMA_DRAFT_07) {
            return k->draft_07 ? k : NULL;
        }

        return k->vocab & dialect->vocab ? k : NULL;
    }

    return NULL;
}


sync_rc_t
sync_schema_known(sync_schema_load_t *load, sync_schema_resource_t *resource,
    uint32_t key)
{
    int                       old;
    size_t                    i;
    unsigned                  distance;
    sync_str_t                name;
    const char               *near, *instead;
    sync_doc_shown_t          shown;
    sync_schema_doc_t        *doc;
    const sync_keyword_t     *k;
    sync_schema_dialect_t     whole;

    doc = resource->doc;
    name = sync_json_slice(&doc->json, key);

    if (load->options->unknown || sync_str_starts(name, "x-")) {
        return SYNC_OK;
    }

    old = resource->dialect.draft == SYNC_SCHEMA_DRAFT_07;

    whole.draft = resource->dialect.draft;
    whole.vocab = SYNC_VOCAB_ALL;

    if (sync_schema_keyword(&whole, name)) {

        /* of a vocabulary that its meta-schema does without */

        return SYNC_OK;
    }

    for (i = 0; i < sizeof(sync_keywords_elsewhere)
                    / sizeof(sync_keywords_elsewhere[0]);
         i++)
    {
        instead = old ? sync_keywords_elsewhere[i].instead_draft_07
                      : sync_keywords_elsewhere[i].instead_2020_12;

        if (instead && sync_str_is(name, sync_keywords_elsewhere[i].name)) {
            return sync_schema_refuse(load, doc, key + 1, "schema",
                           "\"%s\" is no keyword of %s; write %s",
                           sync_keywords_elsewhere[i].name,
                           old ? "draft-07" : "2020-12", instead);
        }
    }

    near = NULL;
    distance = SYNC_DOC_NEAR;

    for (i = 0; i < SYNC_KEYWORDS; i++) {
        k = &sync_keywords[i];

        if ((old ? k->draft_07 : k->vocab)
            && sync_doc_near(name, k->name, &distance))
        {
            near = k->name;
        }
    }

    if (near) {
        return sync_schema_refuse(load, doc, key + 1, "schema",
                       "unknown keyword \"%s\", did you mean \"%s\"?",
                       sync_doc_show(&shown, name), near);
    }

    return sync_schema_refuse(load, doc, key + 1, "schema",
                   "unknown keyword \"%s\"; one of your own begins with "
                   "\"x-\"", sync_doc_show(&shown, name));
}


sync_rc_t
sync_schema_dialect(sync_schema_load_t *load, sync_schema_resource_t *from,
    uint32_t at, sync_schema_dialect_t *dialect)
{
    size_t                    i;
    sync_rc_t                 rc;
    sync_str_t                uri, none;
    sync_schema_doc_t        *doc;
    sync_schema_resource_t   *meta;

    doc = from->doc;

    if (doc->json.nodes[at].type != SYNC_JSON_STRING) {
        return sync_schema_refuse(load, doc, at, "schema",
                                  "\"$schema\" is a URI");
    }

    uri = sync_json_unescape(&doc->json, at, load->arena);
    if (uri.data == NULL) {
        return SYNC_FAULT;
    }

    uri = sync_schema_unfragment(uri, &none);

    dialect->vocab = SYNC_VOCAB_ALL;

    if (sync_str_is(uri, "https://json-schema.org/draft/2020-12/schema")) {
        dialect->draft = SYNC_SCHEMA_2020_12;
        return SYNC_OK;
    }

    if (sync_str_is(uri, "http://json-schema.org/draft-07/schema")
        || sync_str_is(uri, "https://json-schema.org/draft-07/schema"))
    {
        dialect->draft = SYNC_SCHEMA_DRAFT_07;
        return SYNC_OK;
    }

    for (i = 0; i < sizeof(sync_drafts_elsewhere) / sizeof(char *); i++) {
        if (sync_str_is(uri, sync_drafts_elsewhere[i])) {
            return sync_schema_refuse(load, doc, at, "schema",
                           "\"$schema\" names %s, an older draft; write "
                           "https://json-schema.org/draft/2020-12/schema or "
                           "http://json-schema.org/draft-07/schema#",
                           sync_drafts_elsewhere[i]);
        }
    }

    rc = sync_schema_resource(load, from, at, uri, &meta);
    if (rc != SYNC_OK) {
        return rc;
    }

    *dialect = meta->dialect;

    return sync_schema_vocabulary(load, meta, dialect);
}


/* What a meta-schema's "$vocabulary" says of the schemas that name it. */

static sync_rc_t
sync_schema_vocabulary(sync_schema_load_t *load,
    const sync_schema_resource_t *meta, sync_schema_dialect_t *dialect)
{
    size_t                    i, n;
    uint32_t                  list, k;
    sync_doc_shown_t          shown;
    const sync_json_t        *json;

    json = &meta->doc->json;
    list = sync_json_member(json, meta->at, sync_str_lit("$vocabulary"));

    if (list == SYNC_JSON_NONE) {
        return SYNC_OK;
    }

    if (json->nodes[list].type != SYNC_JSON_OBJECT) {
        return sync_schema_refuse(load, meta->doc, list, "schema",
                                  "\"$vocabulary\" is an object");
    }

    n = sizeof(sync_vocabularies) / sizeof(sync_vocabularies[0]);
    dialect->vocab = SYNC_VOCAB_CORE;

    for (k = list + 1; k < json->nodes[list].next; k = json->nodes[k].next) {

        for (i = 0; i < n; i++) {
            if (sync_json_equals(json, k, (sync_str_t) {
                                 strlen(sync_vocabularies[i].uri),
                                 (unsigned char *) (uintptr_t)
                                 sync_vocabularies[i].uri }))
            {
                dialect->vocab |= sync_vocabularies[i].vocab;
                break;
            }
        }

        if (i == n && json->nodes[k + 1].type != SYNC_JSON_FALSE) {
            return sync_schema_refuse(load, meta->doc, k + 1, "schema",
                           "the vocabulary \"%s\" is required and not known",
                           sync_doc_show(&shown, sync_json_slice(json, k)));
        }
    }

    return SYNC_OK;
}
