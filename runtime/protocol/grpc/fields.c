#include "runtime/protocol/grpc/fields.h"

#include "runtime/base/details.h"
#include "runtime/protocol/grpc/text.h"
#include "runtime/protocol/metadata.h"

#include <string.h>

/* An entry of metadata in `text`: this, the name, NUL, the value, NUL. */
typedef struct entry_sizes {
    size_t name;
    size_t value;
} entry_sizes;

/* Of a whole block, Base 64 and what is no metadata included. One that is larger is not told what is wrong
 * with it. */
#define WHOLE_MOST(metadata_size) (4 * (metadata_size))

/* The texts are long, and end where they begin. */
void vow_grpc_fields_init(vow_grpc_fields *fields, vow_session *session)
{
    memset(fields, 0, offsetof(vow_grpc_fields, path));
    fields->session = session;
    fields->path[0] = fields->path[1] = '\0';
    fields->content_type[0] = '\0';
    fields->encoding[0] = '\0';
}

void vow_grpc_fields_clear(vow_grpc_fields *fields)
{
    vow_session *session = fields->session;

    if (fields->text)
        vow_held_give(session, fields->text, fields->text_room);
    vow_buffer_give(session, &fields->message);
    vow_buffer_give(session, &fields->details);
    vow_status_done(&fields->fault);
    vow_grpc_fields_init(fields, session);
}

/* The first fault is the one that is told. `status` is given. */
static void fields_fault(vow_grpc_fields *fields, vow_status status)
{
    if (fields->fault.code == VOW_OK)
        fields->fault = status;
    else
        vow_status_done(&status);
}

/* Text */

static uint8_t *text_make_room(vow_grpc_fields *fields, size_t size)
{
    size_t   room = (fields->text_size + size) * 2;
    uint8_t *larger;

    if (fields->text_size + size <= fields->text_room)
        return fields->text + fields->text_size;
    larger = vow_held_take(fields->session, &room);
    if (!larger) {
        fields_fault(fields, vow_status_no_memory());
        return NULL;
    }
    if (fields->text_size)
        memcpy(larger, fields->text, fields->text_size);
    if (fields->text)
        vow_held_give(fields->session, fields->text, fields->text_room);
    fields->text = larger;
    fields->text_room = room;
    return larger + fields->text_size;
}

/* Metadata */

/* Counts one more entry. False: it would be too much. */
static bool metadata_charge(vow_grpc_fields *fields, size_t size)
{
    const vow_session_options *options = &fields->session->options;

    if (fields->fault.code != VOW_OK)
        return false;
    fields->count++;
    fields->charged += size + VOW_METADATA_ENTRY_CHARGE;
    if (fields->count > options->max_metadata_count)
        fields_fault(fields, vow_status_make(VOW_RESOURCE_EXHAUSTED, "metadata has more than %zu entries",
                                             options->max_metadata_count));
    else if (fields->charged > options->max_metadata_size)
        fields_fault(fields,
                     vow_status_make(VOW_RESOURCE_EXHAUSTED,
                                     "metadata counts more than %zu bytes, %d for each entry included",
                                     options->max_metadata_size, VOW_METADATA_ENTRY_CHARGE));
    else
        return true;
    return false;
}

/* Keeps an entry; a binary value is still in Base 64. */
static void metadata_keep(vow_grpc_fields *fields, const uint8_t *name, size_t name_size,
                          const uint8_t *value, size_t value_size, bool is_binary)
{
    size_t      whole = sizeof(entry_sizes) + name_size + value_size + 2;
    entry_sizes sizes = { name_size, value_size };
    uint8_t    *at;

    if (!metadata_charge(fields, name_size + value_size) || !(at = text_make_room(fields, whole)))
        return;
    memcpy(at + sizeof sizes, name, name_size);
    at[sizeof sizes + name_size] = '\0';
    if (is_binary)
        sizes.value = vow_base64_read(at + sizeof sizes + name_size + 1, value, value_size);
    else if (value_size)
        memcpy(at + sizeof sizes + name_size + 1, value, value_size);
    if (sizes.value == SIZE_MAX) {
        fields_fault(fields, vow_status_make(VOW_INTERNAL, "metadata \"%.*s\" is not Base 64", (int)name_size,
                                             (const char *)name));
        return;
    }
    at[sizeof sizes + name_size + 1 + sizes.value] = '\0';
    memcpy(at, &sizes, sizeof sizes);
    fields->text_size += sizeof sizes + name_size + sizes.value + 2;
}

/* Several binary values of one name may come joined by commas. */
static void metadata_keep_binary(vow_grpc_fields *fields, const uint8_t *name, size_t name_size,
                                 const uint8_t *value, size_t value_size)
{
    const uint8_t *comma;

    while ((comma = memchr(value, ',', value_size))) {
        size_t size = (size_t)(comma - value);

        metadata_keep(fields, name, name_size, value, size, true);
        value += size + 1;
        value_size -= size + 1;
        while (value_size && *value == ' ') {
            value++;
            value_size--;
        }
    }
    metadata_keep(fields, name, name_size, value, value_size, true);
}

/* What HTTP allows and gRPC does not, proxies put in between: it is left out, and nobody is to blame. */
static bool value_is_plain(const uint8_t *value, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if (value[i] < 0x20 || value[i] > 0x7e)
            return false;
    }
    return true;
}

static void metadata_add(vow_grpc_fields *fields, const uint8_t *name, size_t name_size, const uint8_t *value,
                         size_t value_size)
{
    bool is_binary = name_size > 4 && memcmp(name + name_size - 4, "-bin", 4) == 0;

    if (!vow_metadata_name_is_allowed((const char *)name, name_size) || !value_is_plain(value, value_size))
        return;
    if (is_binary)
        metadata_keep_binary(fields, name, name_size, value, value_size);
    else
        metadata_keep(fields, name, name_size, value, value_size, false);
}

vow_code vow_grpc_fields_metadata(const vow_grpc_fields *fields, vow_metadata **metadata, size_t *block_size)
{
    vow_metadata *entry;
    uint8_t      *at = fields->text;

    *metadata = NULL;
    if (fields->count == 0)
        return VOW_OK;
    *block_size = (fields->count + 1) * sizeof *entry;
    entry = vow_held_take(fields->session, block_size);
    if (!entry)
        return VOW_RESOURCE_EXHAUSTED;
    *metadata = entry;
    for (; at < fields->text + fields->text_size; entry++) {
        entry_sizes sizes;
        char       *name;

        memcpy(&sizes, at, sizeof sizes);
        name = (char *)at + sizeof sizes;
        *entry = (vow_metadata){ name, name + sizes.name + 1, sizes.value };
        at += sizeof sizes + sizes.name + sizes.value + 2;
    }
    *entry = (vow_metadata){ NULL, NULL, 0 };
    return VOW_OK;
}

/* What gRPC knows by name */

static bool is(const uint8_t *value, size_t size, const char *text)
{
    return strlen(text) == size && memcmp(value, text, size) == 0;
}

static void read_method(vow_grpc_fields *fields, const uint8_t *value, size_t size)
{
    fields->is_post = is(value, size, "POST");
}

static void read_path(vow_grpc_fields *fields, const uint8_t *value, size_t size)
{
    if (size >= sizeof fields->path) {
        fields_fault(fields, vow_status_make(VOW_UNIMPLEMENTED,
                                             "the path has %zu bytes; a method's name has at most %d", size,
                                             VOW_METHOD_NAME_MAX));
        return;
    }
    memcpy(fields->path, value, size);
    fields->path[size] = '\0';
}

static void read_http_status(vow_grpc_fields *fields, const uint8_t *value, size_t size)
{
    fields->http_status = 0;
    for (size_t i = 0; i < size && i < 3; i++)
        fields->http_status = fields->http_status * 10 + (unsigned)(value[i] - '0');
}

static void read_content_type(vow_grpc_fields *fields, const uint8_t *value, size_t size)
{
    static const char grpc[] = "application/grpc";
    size_t            kept = size < VOW_GRPC_CONTENT_TYPE_MAX ? size : VOW_GRPC_CONTENT_TYPE_MAX;

    memcpy(fields->content_type, value, kept);
    fields->content_type[kept] = '\0';
    if (size < sizeof grpc - 1 || memcmp(value, grpc, sizeof grpc - 1) != 0)
        return;
    value += sizeof grpc - 1;
    size -= sizeof grpc - 1;
    fields->is_grpc = size == 0 || value[0] == ';' || is(value, size, "+proto") ||
                      (size > 6 && memcmp(value, "+proto;", 7) == 0);
}

static void read_te(vow_grpc_fields *fields, const uint8_t *value, size_t size)
{
    fields->takes_trailers |= is(value, size, "trailers");
}

static void read_timeout(vow_grpc_fields *fields, const uint8_t *value, size_t size)
{
    if (!vow_grpc_timeout_read(value, size, &fields->timeout_ns))
        fields_fault(fields,
                     vow_status_make(VOW_INTERNAL,
                                     "grpc-timeout \"%.*s\": it has 1 to 8 digits and a unit of H M S m u n",
                                     (int)(size < 32 ? size : 32), (const char *)value));
    else if (fields->timeout_ns == 0)
        fields->timeout_ns = 1;
}

static void read_encoding(vow_grpc_fields *fields, const uint8_t *value, size_t size)
{
    size_t kept = size < VOW_GRPC_ENCODING_MAX ? size : VOW_GRPC_ENCODING_MAX;

    fields->is_gzip = is(value, size, "gzip");
    fields->is_unknown = !fields->is_gzip && !is(value, size, "identity");
    memcpy(fields->encoding, value, kept);
    fields->encoding[kept] = '\0';
}

/* "identity, deflate,gzip" */
static void read_accept_encoding(vow_grpc_fields *fields, const uint8_t *value, size_t size)
{
    size_t start = 0;

    for (size_t i = 0; i <= size; i++) {
        if (i < size && value[i] != ',')
            continue;
        while (start < i && value[start] == ' ')
            start++;
        fields->takes_gzip |= is(value + start, i - start, "gzip");
        start = i + 1;
    }
}

static void read_status(vow_grpc_fields *fields, const uint8_t *value, size_t size)
{
    fields->has_status = true;
    fields->status = size == 0 || size > 2 ? VOW_UNKNOWN : 0;
    for (size_t i = 0; i < size && size <= 2; i++) {
        if (value[i] < '0' || value[i] > '9') {
            fields->status = VOW_UNKNOWN;
            return;
        }
        fields->status = fields->status * 10 + (unsigned)(value[i] - '0');
    }
    if (fields->status > VOW_UNAUTHENTICATED)
        fields->status = VOW_UNKNOWN;
}

/* Both are a courtesy: without memory for them, the status counts. */
static void read_message(vow_grpc_fields *fields, const uint8_t *value, size_t size)
{
    uint8_t *at = size > 3 * VOW_STATUS_MESSAGE_MAX
                      ? NULL
                      : vow_buffer_make_room(fields->session, &fields->message, size, 1);

    if (at)
        fields->message.size = vow_grpc_percent_read((char *)at, value, size);
}

static void read_details(vow_grpc_fields *fields, const uint8_t *value, size_t size)
{
    uint8_t *at = size > vow_base64_room(VOW_DETAILS_MAX)
                      ? NULL
                      : vow_buffer_make_room(fields->session, &fields->details, size, 1);
    size_t   read = at ? vow_base64_read(at, value, size) : SIZE_MAX;

    if (read != SIZE_MAX)
        fields->details.size = read;
}

#define NAME_MOST 23

/* In the order of the names' sizes. */
static const struct {
    const char *name;
    size_t      name_size;
    void (*read)(vow_grpc_fields *fields, const uint8_t *value,
                 size_t size); /* NULL: known, and not needed */
} known[] = {
#define KNOWN(name, read) { name, sizeof(name) - 1, read }
    KNOWN("te", read_te),
    KNOWN(":path", read_path),
    KNOWN(":method", read_method),
    KNOWN(":scheme", NULL),
    KNOWN(":status", read_http_status),
    KNOWN(":authority", NULL),
    KNOWN("user-agent", NULL),
    KNOWN("grpc-status", read_status),
    KNOWN("content-type", read_content_type),
    KNOWN("grpc-timeout", read_timeout),
    KNOWN("grpc-message", read_message),
    KNOWN("grpc-encoding", read_encoding),
    KNOWN("grpc-accept-encoding", read_accept_encoding),
    KNOWN("grpc-status-details-bin", read_details),
    { NULL, 0, NULL }
#undef KNOWN
};

/* Where those of a size begin; 0: there are none, or it is the first. */
static const uint8_t known_from[NAME_MOST + 1] = { [2] = 0, [5] = 1,  [7] = 2,  [10] = 5,  [11] = 7,
                                                   [12] = 8, [13] = 11, [20] = 12, [23] = 13 };

bool vow_grpc_fields_add(vow_grpc_fields *fields, const uint8_t *name, size_t name_size, const uint8_t *value,
                         size_t value_size)
{
    fields->whole += name_size + value_size + VOW_METADATA_ENTRY_CHARGE;
    if (fields->whole > WHOLE_MOST(fields->session->options.max_metadata_size))
        return false;
    for (size_t i = name_size <= NAME_MOST ? known_from[name_size] : 0; known[i].name_size == name_size; i++) {
        if (memcmp(name, known[i].name, name_size) != 0)
            continue;
        if (known[i].read)
            known[i].read(fields, value, value_size);
        return true;
    }
    metadata_add(fields, name, name_size, value, value_size);
    return true;
}
