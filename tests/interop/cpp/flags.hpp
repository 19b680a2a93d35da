/* The flags of both C++ programs: --name=value. */
#pragma once

#include <cstdint>
#include <fstream>
#include <map>
#include <sstream>
#include <string>

struct grpc_call;

/* What libgrpc exports for tests like these: the flags of the message that was read last. */
uint32_t grpc_call_test_only_get_message_flags(grpc_call *call);

inline bool was_compressed(grpc_call *call)
{
    return grpc_call_test_only_get_message_flags(call) & 0xc0000000u; /* compressed, or it was */
}

class flags
{
  public:
    flags(int argc, char **argv)
    {
        for (int i = 1; i < argc; i++) {
            std::string flag = argv[i];
            size_t      equals = flag.find('=');

            if (flag.compare(0, 2, "--") == 0)
                values[flag.substr(2, equals - 2)] =
                    equals == std::string::npos ? "true" : flag.substr(equals + 1);
        }
    }

    std::string get(const std::string &name, const std::string &otherwise = "") const
    {
        auto found = values.find(name);

        return found == values.end() ? otherwise : found->second;
    }

    bool is(const std::string &name) const
    {
        return get(name) == "true";
    }

    std::string file(const std::string &name) const
    {
        std::ifstream     stream(get(name));
        std::stringstream text;

        text << stream.rdbuf();
        return text.str();
    }

  private:
    std::map<std::string, std::string> values;
};
