#include "tools/vow-load/template.h"

#include "tools/vow-load/random.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#define WORDS_MAX 32 /* of one placeholder, its name included */

typedef enum kind { COUNTER, RANDOM, RANDOM_TEXT, RANDOM_BYTES, UUID, PICK } kind;

/* What a placeholder is made of: literal text before it, and how it is filled in. */
typedef struct part {
    const char *before; /* lent by the template's text */
    size_t      before_size;
    kind        kind;
    int64_t     low, high; /* counter: start and step; random texts: the count is `low` */
    char      **words;
    size_t      word_count;
} part;

struct load_template {
    char       *text;
    part        parts[LOAD_PLACEHOLDERS_MAX];
    size_t      part_count;
    const char *rest; /* behind the last placeholder */
};

/* Where it is */

static void place_of(const char *text, const char *at, size_t *line, size_t *column)
{
    *line = 1;
    *column = 1;
    for (; text < at; text++) {
        if (*text == '\n') {
            ++*line;
            *column = 1;
        } else {
            *column += ((unsigned char)*text & 0xc0) != 0x80; /* letters, not bytes */
        }
    }
}

static bool template_fail(const load_template *template, const char *at, load_problem *problem,
                          const char *text)
{
    size_t line, column;

    place_of(template->text, at, &line, &column);
    return load_problem_set(problem, "the template, line %zu, column %zu: %s", line, column, text);
}

/* Placeholders */

static bool parse_integer(const char *word, int64_t *number)
{
    char *end;

    errno = 0;
    *number = strtoll(word, &end, 10);
    return errno == 0 && end != word && !*end;
}

static bool fill_counter(part *part, load_problem *why)
{
    part->low = 0;
    part->high = 1;
    return (part->word_count < 2 || parse_integer(part->words[1], &part->low)) &&
                   (part->word_count < 3 || parse_integer(part->words[2], &part->high))
               ? true
               : load_problem_set(why, "{{counter START STEP}} takes whole numbers");
}

static bool fill_random(part *part, load_problem *why)
{
    if (!parse_integer(part->words[1], &part->low) || !parse_integer(part->words[2], &part->high))
        return load_problem_set(why, "{{random LOW HIGH}} takes whole numbers");
    if (part->low > part->high)
        return load_problem_set(why, "{{random LOW HIGH}}: %" PRId64 " is above %" PRId64, part->low,
                                part->high);
    return true;
}

static bool fill_count(part *part, load_problem *why)
{
    if (!parse_integer(part->words[1], &part->low) || part->low < 0 ||
        part->low > (int64_t)LOAD_RANDOM_TEXT_MAX)
        return load_problem_set(why, "{{%s COUNT}} takes a number up to %zu", part->words[0],
                                LOAD_RANDOM_TEXT_MAX);
    return true;
}

static bool fill_nothing(part *part, load_problem *why)
{
    (void)part;
    (void)why;
    return true;
}

static const struct {
    const char *name;
    const char *use;
    kind        kind;
    bool        is_text;
    size_t      fewest, most; /* words behind the name */
    bool (*fill)(part *part, load_problem *why);
} kinds[] = {
    { "counter", "{{counter START STEP}}", COUNTER, false, 0, 2, fill_counter },
    { "random", "{{random LOW HIGH}}", RANDOM, false, 2, 2, fill_random },
    { "random_text", "{{random_text COUNT}}", RANDOM_TEXT, true, 1, 1, fill_count },
    { "random_bytes", "{{random_bytes COUNT}}", RANDOM_BYTES, true, 1, 1, fill_count },
    { "uuid", "{{uuid}}", UUID, true, 0, 0, fill_nothing },
    { "pick", "{{pick WORD WORD ...}}", PICK, true, 1, WORDS_MAX - 1, fill_nothing },
};

static bool part_fill(part *part, bool is_in_quotes, load_problem *why)
{
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        if (strcmp(part->words[0], kinds[i].name) != 0)
            continue;
        part->kind = kinds[i].kind;
        if (part->word_count - 1 < kinds[i].fewest || part->word_count - 1 > kinds[i].most)
            return load_problem_set(why, "{{%s}} is used as %s", kinds[i].name, kinds[i].use);
        if (kinds[i].is_text && !is_in_quotes)
            return load_problem_set(why, "{{%s}} makes text, which stands in quotes", kinds[i].name);
        return kinds[i].fill(part, why);
    }
    return load_problem_set(
        why, "{{%s}} is none of counter, random, random_text, random_bytes, uuid and pick", part->words[0]);
}

/* Cuts what stands between the braces into words. */
static bool part_split(part *part, const char *text, const char *end, load_problem *why)
{
    part->words = load_alloc(WORDS_MAX, sizeof *part->words);
    while (text < end) {
        const char *word;

        while (text < end && isspace((unsigned char)*text))
            text++;
        for (word = text; text < end && !isspace((unsigned char)*text);)
            text++;
        if (text == word)
            break;
        if (part->word_count == WORDS_MAX)
            return load_problem_set(why, "a placeholder has at most %d words", WORDS_MAX);
        part->words[part->word_count++] = load_copy(word, (size_t)(text - word));
    }
    return part->word_count > 0 || load_problem_set(why, "{{}} is empty");
}

/* Parsing */

/* Goes to the next "{{"; NULL: there is none. `is_in_quotes` is kept as JSON has it. */
static const char *next_placeholder(const char *at, bool *is_in_quotes)
{
    for (; *at; at++) {
        if (at[0] == '{' && at[1] == '{')
            return at;
        if (*is_in_quotes && at[0] == '\\' && at[1])
            at++;
        else if (*at == '"')
            *is_in_quotes = !*is_in_quotes;
    }
    return NULL;
}

static bool template_cut(load_template *template, load_problem *problem)
{
    bool        is_in_quotes = false;
    const char *at;

    template->rest = template->text;
    while ((at = next_placeholder(template->rest, &is_in_quotes))) {
        const char  *end = strstr(at, "}}");
        part        *part = &template->parts[template->part_count];
        load_problem why;

        if (!end)
            return template_fail(template, at, problem, "this {{ is not closed by }}");
        if (template->part_count == LOAD_PLACEHOLDERS_MAX)
            return template_fail(template, at, problem, "there are more than 100 placeholders");
        template->part_count++;
        part->before = template->rest;
        part->before_size = (size_t)(at - template->rest);
        if (!part_split(part, at + 2, end, &why) || !part_fill(part, is_in_quotes, &why))
            return template_fail(template, at, problem, why.text);
        template->rest = end + 2;
    }
    return true;
}

/*
 * Is it JSON? Each placeholder is replaced by something of its own length, a number outside of quotes and as
 * good as any text inside, so that the place of a mistake is the one in the template.
 */
static bool template_check_json(const load_template *template, load_problem *problem)
{
    char        *text = load_copy(template->text, strlen(template->text));
    json_error_t error;
    json_t      *json;

    for (size_t i = 0; i < template->part_count; i++) {
        const part *part = &template->parts[i];
        size_t      begin = (size_t)(part->before - template->text) + part->before_size;
        const char *next = i + 1 < template->part_count ? template->parts[i + 1].before : template->rest;

        memset(text + begin, ' ', (size_t)(next - template->text) - begin);
        text[begin] = '1';
    }
    json = json_loads(text, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, &error);
    if (!json)
        load_problem_set(problem, "the template, line %d, column %d: %s", error.line, error.column,
                         error.text);
    free(text);
    json_decref(json);
    return json;
}

load_template *load_template_parse(const char *text, load_problem *problem)
{
    load_template *template = load_alloc(1, sizeof *template);

    template->text = load_copy(text, strlen(text));
    if (template_cut(template, problem) && template_check_json(template, problem))
        return template;
    load_template_free(template);
    return NULL;
}

void load_template_free(load_template *template)
{
    if (!template)
        return;
    for (size_t i = 0; i < template->part_count; i++) {
        for (size_t w = 0; w < template->parts[i].word_count; w++)
            free(template->parts[i].words[w]);
        free(template->parts[i].words);
    }
    free(template->text);
    free(template);
}

bool load_template_is_constant(const load_template *template)
{
    return template->part_count == 0;
}

bool load_template_find(const load_template *template, const char *name, size_t *line, size_t *column)
{
    size_t size = strlen(name);

    for (const char *at = template->text; (at = strchr(at, '"')); at++) {
        if (strncmp(at + 1, name, size) == 0 && at[size + 1] == '"') {
            place_of(template->text, at, line, column);
            return true;
        }
    }
    return false;
}

/* Filling in */

static void add_random_text(load_buffer *json, load_random *random, int64_t count)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";

    for (int64_t i = 0; i < count; i++)
        load_buffer_add(json, &letters[load_random_below(random, sizeof letters - 1)], 1);
}

/* RFC 4648, section 4. */
static void add_random_bytes(load_buffer *json, load_random *random, int64_t count)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

    for (int64_t i = 0; i < count; i += 3) {
        int64_t  have = count - i < 3 ? count - i : 3;
        uint32_t bytes = (uint32_t)load_random_next(random) & (have == 3   ? 0xffffffu
                                                               : have == 2 ? 0xffff00u
                                                                           : 0xff0000u);
        char     four[4] = { digits[bytes >> 18 & 63], digits[bytes >> 12 & 63], digits[bytes >> 6 & 63],
                             digits[bytes & 63] };

        if (have < 3)
            four[3] = '=';
        if (have < 2)
            four[2] = '=';
        load_buffer_add(json, four, 4);
    }
}

/* RFC 9562, section 5.4. */
static void add_uuid(load_buffer *json, load_random *random)
{
    uint64_t high = (load_random_next(random) & ~UINT64_C(0xf000)) | UINT64_C(0x4000);
    uint64_t low = (load_random_next(random) & ~(UINT64_C(3) << 62)) | UINT64_C(1) << 63;

    load_buffer_print(json, "%08" PRIx64 "-%04" PRIx64 "-%04" PRIx64 "-%04" PRIx64 "-%012" PRIx64, high >> 32,
                      high >> 16 & 0xffff, high & 0xffff, low >> 48, low & UINT64_C(0xffffffffffff));
}

static void add_filling(load_buffer *json, const part *part, load_random *random, uint64_t index)
{
    const char *word;
    uint64_t    span;

    switch (part->kind) {
    case COUNTER:
        load_buffer_print(json, "%" PRId64, (int64_t)((uint64_t)part->low + (uint64_t)part->high * index));
        break;
    case RANDOM:
        span = (uint64_t)part->high - (uint64_t)part->low + 1; /* 0: all that there are */
        load_buffer_print(json, "%" PRId64,
                          (int64_t)((uint64_t)part->low +
                                    (span ? load_random_below(random, span) : load_random_next(random))));
        break;
    case RANDOM_TEXT:
        add_random_text(json, random, part->low);
        break;
    case RANDOM_BYTES:
        add_random_bytes(json, random, part->low);
        break;
    case UUID:
        add_uuid(json, random);
        break;
    case PICK:
        word = part->words[1 + load_random_below(random, part->word_count - 1)];
        load_buffer_add(json, word, strlen(word));
        break;
    }
}

void load_template_expand(const load_template *template, uint64_t seed, uint64_t index, load_buffer *json)
{
    load_random random = load_random_of(seed, index);

    load_buffer_clear(json);
    for (size_t i = 0; i < template->part_count; i++) {
        const part *part = &template->parts[i];

        load_buffer_add(json, part->before, part->before_size);
        add_filling(json, part, &random, index);
    }
    load_buffer_add(json, template->rest, strlen(template->rest));
}
