#include "names.h"

#include "text.h"

#include <ctype.h>
#include <string.h>

/* C11's, GNU C's, and what headers that every generated file includes define as macros. */
static const char c_words[] =
    "asm auto bool break case char const continue default do double else enum extern false float for goto if "
    "inline int long register restrict return short signed sizeof static static_assert struct switch true "
    "typedef typeof union unsigned void volatile while";

/* C++20's beyond them. */
static const char cpp_words[] =
    "alignas alignof catch char16_t char32_t char8_t class co_await co_return co_yield concept const_cast "
    "consteval constexpr constinit decltype delete dynamic_cast explicit export friend mutable namespace new "
    "noexcept nullptr operator private protected public reinterpret_cast requires static_cast template this "
    "thread_local throw try typeid typename using virtual wchar_t";

static const char operator_words[] = "and and_eq bitand bitor compl not not_eq or or_eq xor xor_eq";

/* Macros of the C library, and of GNU C outside its strict modes. */
static const char macro_words[] = "assert errno i386 linux offsetof stderr stdin stdout unix";

/* Words of the lists above that protoc-c has no underscore for. */
static const char forgotten_words[] =
    "alignas alignof char16_t char32_t char8_t co_await co_return co_yield concept consteval constexpr "
    "constinit decltype export noexcept nullptr requires restrict static_assert thread_local typeof";

static bool word_is_in(const char *word, const char *words)
{
    size_t size = strlen(word);

    for (; *words; words += *words == ' ') {
        size_t next = strcspn(words, " ");

        if (next == size && memcmp(words, word, size) == 0)
            return true;
        words += next;
    }
    return false;
}

bool vow_name_breaks_c(const char *word)
{
    return word_is_in(word, c_words);
}

bool vow_name_breaks_cpp(const char *word)
{
    return word_is_in(word, cpp_words);
}

bool vow_name_is_operator(const char *word)
{
    return word_is_in(word, operator_words);
}

static bool word_is_escaped_by_protoc_c(const char *word)
{
    return (vow_name_breaks_c(word) || vow_name_breaks_cpp(word) || vow_name_is_operator(word)) &&
           !word_is_in(word, forgotten_words);
}

const char *vow_name_member(const char *name)
{
    bool taken = vow_name_breaks_c(name) || vow_name_breaks_cpp(name) || vow_name_is_operator(name) ||
                 word_is_in(name, macro_words);

    return taken ? vow_scratch_format("%s_", name) : name;
}

const char *vow_name_field(const char *name)
{
    char *lower = vow_scratch_copy(name, strlen(name));

    for (char *at = lower; *at; at++)
        *at = (char)tolower((unsigned char)*at);
    return word_is_escaped_by_protoc_c(lower) ? vow_scratch_format("%s_", lower) : lower;
}

/* An underscore goes before an upper case letter that follows anything else, a digit or underscore too. */
static const char *word_split(const char *word, int (*convert)(int))
{
    vow_text text = { 0 };
    bool     was_upper = true;

    for (; *word; word++) {
        bool upper = isupper((unsigned char)*word);
        char letter = (char)convert((unsigned char)*word);

        if (upper && !was_upper)
            vow_text_add(&text, "_", 1);
        vow_text_add(&text, &letter, 1);
        was_upper = upper;
    }
    return text.data ? text.data : "";
}

const char *vow_name_lower(const char *word)
{
    return word_split(word, tolower);
}

static const char *word_upper(const char *word)
{
    return word_split(word, toupper);
}

/* "report_request" gives ReportRequest (ToCamel). */
static const char *word_camel(const char *word)
{
    vow_text text = { 0 };
    bool     starts = true;

    for (; *word; word++) {
        char letter = (char)(starts ? toupper((unsigned char)*word) : *word);

        starts = *word == '_';
        if (!starts)
            vow_text_add(&text, &letter, 1);
    }
    return text.data ? text.data : "";
}

/* The next piece of `*name`, which moves past it; NULL at the end. Empty pieces do not count. */
static const char *piece_next(const char **name)
{
    size_t      size;
    const char *piece;

    *name += strspn(*name, ".");
    size = strcspn(*name, ".");
    if (size == 0)
        return NULL;
    piece = vow_scratch_copy(*name, size);
    *name += size;
    return piece;
}

/* What follows the package in `full_name`. */
static const char *package_rest(const vow_package *package, const char *full_name)
{
    size_t size = strlen(package->name);

    return size > 0 ? full_name + size + 1 : full_name;
}

static const char *package_c_name(const vow_package *package)
{
    return package->c_package ? package->c_package : package->name;
}

static const char *full_name_join(const vow_package *package, const char *full_name,
                                  const char *(*convert)(const char *word))
{
    const char *rest = vow_scratch_format("%s.%s", package_c_name(package), package_rest(package, full_name));
    vow_text    text = { 0 };
    const char *piece;

    while ((piece = piece_next(&rest)))
        vow_text_print(&text, "%s%s", text.size > 0 ? "__" : "", convert(piece));
    return text.data ? text.data : "";
}

const char *vow_name_type(const vow_package *package, const char *full_name)
{
    return full_name_join(package, full_name, word_camel);
}

const char *vow_name_prefix(const vow_package *package, const char *full_name)
{
    return full_name_join(package, full_name, vow_name_lower);
}

const char *vow_name_macro(const vow_package *package, const char *full_name)
{
    return full_name_join(package, full_name, word_upper);
}

const char *vow_name_function(const vow_package *package, const char *full_name)
{
    const char *rest = package_c_name(package);
    const char *join = "";
    vow_text    text = { 0 };
    const char *piece;

    while ((piece = piece_next(&rest))) {
        vow_text_print(&text, "%s%s", join, vow_name_lower(piece));
        join = "_";
    }
    rest = package_rest(package, full_name);
    while ((piece = piece_next(&rest))) {
        vow_text_print(&text, "%s%s", join, vow_name_lower(piece));
        join = "__";
    }
    if (text.size >= 3 && memcmp(text.data, "vow", 3) == 0 && (text.data[3] == '_' || text.data[3] == '\0'))
        return vow_scratch_format("vow_%s", text.data + 3);
    return text.data ? text.data : "";
}

static bool text_ends_with(const char *text, const char *end)
{
    size_t text_size = strlen(text);
    size_t end_size = strlen(end);

    return text_size >= end_size && strcmp(text + text_size - end_size, end) == 0;
}

const char *vow_name_file_stem(const char *file)
{
    const char *end = text_ends_with(file, ".protodevel") ? ".protodevel" : ".proto";

    return text_ends_with(file, end) ? vow_scratch_copy(file, strlen(file) - strlen(end)) : file;
}

const char *vow_name_file_identifier(const char *file)
{
    vow_text text = { 0 };

    for (; *file; file++) {
        if (isalnum((unsigned char)*file))
            vow_text_add(&text, file, 1);
        else
            vow_text_print(&text, "_%x", (unsigned)(unsigned char)*file);
    }
    return text.data ? text.data : "";
}

bool vow_name_is_identifier(const char *name)
{
    if (!isalpha((unsigned char)name[0]) && name[0] != '_')
        return false;
    for (; *name; name++) {
        if (!isalnum((unsigned char)*name) && *name != '_')
            return false;
    }
    return true;
}
