#include "runtime/protocol/grpc/text.h"

#include <stdio.h>

/* Timeouts */

#define TIMEOUT_MOST 99999999u /* eight digits */

static const struct {
    char     name;
    uint64_t ns;
} units[] = {
    { 'n', 1 },
    { 'u', 1000 },
    { 'm', 1000 * 1000 },
    { 'S', (uint64_t)1000 * 1000 * 1000 },
    { 'M', (uint64_t)60 * 1000 * 1000 * 1000 },
    { 'H', (uint64_t)3600 * 1000 * 1000 * 1000 },
};

#define UNITS (sizeof units / sizeof units[0])

size_t vow_grpc_timeout_write(char text[VOW_GRPC_TIMEOUT_ROOM], uint64_t ns)
{
    size_t   unit = 0;
    uint64_t value = ns ? ns : 1;

    while (unit + 1 < UNITS && ns / units[unit].ns > TIMEOUT_MOST)
        unit++;
    if (unit > 0)
        value = ns / units[unit].ns;
    if (value > TIMEOUT_MOST)
        value = TIMEOUT_MOST;
    return (size_t)snprintf(text, VOW_GRPC_TIMEOUT_ROOM, "%u%c", (unsigned)value, units[unit].name);
}

bool vow_grpc_timeout_read(const uint8_t *text, size_t size, uint64_t *ns)
{
    uint64_t value = 0;

    if (size < 2 || size > VOW_GRPC_TIMEOUT_ROOM - 1)
        return false;
    for (size_t i = 0; i + 1 < size; i++) {
        if (text[i] < '0' || text[i] > '9')
            return false;
        value = value * 10 + (uint64_t)(text[i] - '0');
    }
    for (size_t unit = 0; unit < UNITS; unit++) {
        if (text[size - 1] != (uint8_t)units[unit].name)
            continue;
        *ns = value > UINT64_MAX / units[unit].ns ? UINT64_MAX : value * units[unit].ns;
        return true;
    }
    return false;
}

/* Percent-encoding */

static const char hex_digits[] = "0123456789ABCDEF";

size_t vow_grpc_percent_write(char *to, const char *text, size_t size)
{
    size_t at = 0;

    for (size_t i = 0; i < size; i++) {
        uint8_t byte = (uint8_t)text[i];

        if (byte >= 0x20 && byte <= 0x7e && byte != '%') {
            to[at++] = (char)byte;
            continue;
        }
        to[at++] = '%';
        to[at++] = hex_digits[byte >> 4];
        to[at++] = hex_digits[byte & 15];
    }
    return at;
}

static int hex_value(uint8_t digit)
{
    if (digit >= '0' && digit <= '9')
        return digit - '0';
    if (digit >= 'A' && digit <= 'F')
        return digit - 'A' + 10;
    if (digit >= 'a' && digit <= 'f')
        return digit - 'a' + 10;
    return -1;
}

size_t vow_grpc_percent_read(char *to, const uint8_t *text, size_t size)
{
    size_t at = 0;

    for (size_t i = 0; i < size; i++) {
        int high = text[i] == '%' && size - i > 2 ? hex_value(text[i + 1]) : -1;
        int low = high >= 0 ? hex_value(text[i + 2]) : -1;

        if (low < 0) {
            to[at++] = (char)text[i];
            continue;
        }
        to[at++] = (char)(high << 4 | low);
        i += 2;
    }
    return at;
}

/* Base 64 */

static const char base64_digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

size_t vow_base64_write(char *to, const uint8_t *data, size_t size)
{
    size_t at = 0;

    for (size_t i = 0; i < size; i += 3) {
        size_t   count = size - i < 3 ? size - i : 3;
        uint32_t bits = (uint32_t)data[i] << 16;

        if (count > 1)
            bits |= (uint32_t)data[i + 1] << 8;
        if (count > 2)
            bits |= data[i + 2];
        for (size_t digit = 0; digit <= count; digit++)
            to[at++] = base64_digits[bits >> (18 - 6 * digit) & 63];
    }
    return at;
}

static int base64_value(uint8_t digit)
{
    if (digit >= 'A' && digit <= 'Z')
        return digit - 'A';
    if (digit >= 'a' && digit <= 'z')
        return digit - 'a' + 26;
    if (digit >= '0' && digit <= '9')
        return digit - '0' + 52;
    return digit == '+' ? 62 : digit == '/' ? 63 : -1;
}

/* The digits without their padding; SIZE_MAX: there is padding, and not as much as there should be. */
static size_t base64_digits_in(const uint8_t *text, size_t size)
{
    size_t padding = 0;

    while (padding < 2 && padding < size && text[size - 1 - padding] == '=')
        padding++;
    if (padding > 0 && size % 4 != 0)
        return SIZE_MAX;
    return size - padding;
}

size_t vow_base64_read(uint8_t *to, const uint8_t *text, size_t size)
{
    size_t   digits = base64_digits_in(text, size);
    uint32_t bits = 0;
    size_t   at = 0;

    if (digits == SIZE_MAX || digits % 4 == 1)
        return SIZE_MAX;
    for (size_t i = 0; i < digits; i++) {
        int value = base64_value(text[i]);

        if (value < 0)
            return SIZE_MAX;
        bits = bits << 6 | (uint32_t)value;
        if (i % 4 == 1)
            to[at++] = (uint8_t)(bits >> 4);
        else if (i % 4 == 2)
            to[at++] = (uint8_t)(bits >> 2);
        else if (i % 4 == 3)
            to[at++] = (uint8_t)bits;
    }
    return at;
}
