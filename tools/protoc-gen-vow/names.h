/*
 * C names: those that protoc-c makes, letter by letter, and those that vow makes after them.
 *
 * protoc-c splits a full name at its dots and joins the pieces with two underscores:
 * "weather.v1.ReportRequest" is the type Weather__V1__ReportRequest, and weather__v1__report_request
 * begins its functions. vow's own functions begin with weather_v1_report_request: one underscore
 * between package and name, two only before a nested type, and after a package called `vow`, whose
 * names would otherwise mix with the library's.
 *
 * Source: protobuf-c 1.4.1, protoc-c/c_helpers.cc, whose functions are named beside ours.
 */
#ifndef VOW_GENERATOR_NAMES_H
#define VOW_GENERATOR_NAMES_H

#include <stdbool.h>

/* Where a name lives. `c_package` is the option (pb_c_file).c_package, NULL where it is not set. */
typedef struct vow_package {
    const char *name; /* "" for none */
    const char *c_package;
} vow_package;

/* "GetReport" gives get_report, "HTTPServer" gives httpserver (CamelToLower). */
const char *vow_name_lower(const char *word);

/* Of a full name without a dot in front: FullNameToC, FullNameToLower, FullNameToUpper. */
const char *vow_name_type(const vow_package *package, const char *full_name);
const char *vow_name_prefix(const vow_package *package, const char *full_name);
const char *vow_name_macro(const vow_package *package, const char *full_name);

/* The beginning of vow's own names. */
const char *vow_name_function(const vow_package *package, const char *full_name);

/* A message's member after a field, lower case, with an underscore where protoc-c adds one (FieldName). */
const char *vow_name_field(const char *name);

/* vow's service struct has a member per method; words that C, C++ or a standard header has taken get an
 * underscore. */
const char *vow_name_member(const char *name);

/* "dir/weather.proto" gives dir/weather (StripProto) and dir_2fweather_2eproto (FilenameIdentifier). */
const char *vow_name_file_stem(const char *file);
const char *vow_name_file_identifier(const char *file);

bool vow_name_is_identifier(const char *name);

/* Does a member of this name break C? And C++, where it does not break C? */
bool vow_name_breaks_c(const char *word);
bool vow_name_breaks_cpp(const char *word);

/* The spellings of C++ operators break C++ too, and can't be defined away. */
bool vow_name_is_operator(const char *word);

#endif
