# What keeps the library small that costs no call its speed.

include(CheckCSourceCompiles)
include(CheckLinkerFlag)

# Files that calls do not come by, or not by themselves: what runs for a connection, a listener, a program, or where
# something was asked for beside a call. Compiled for speed, loops and calls in them would be unrolled and inlined for
# nothing, and take 90 KiB more.
set(vow_seldom
    /base/details /base/rule /base/version
    /future/combine /future/each /future/timed /future/trace
    /loop/mailbox /loop/sim_ /loop/thread /loop/work
    /protocol/greeting /protocol/life
    /protocol/grpc/compress /protocol/grpc/hearing /protocol/grpc/session /protocol/grpc/text /protocol/grpc/watch
    /protocol/native/fit /protocol/native/hello /protocol/native/methods /protocol/native/pings
    /rpc/connectivity /rpc/drain /rpc/facts /rpc/farewell /rpc/inherit /rpc/intercept /rpc/keepalive
    /rpc/server /rpc/target /rpc/threads /rpc/trace_context
    /service/
    /transport/acceptor /transport/address /transport/bind /transport/connect /transport/dial /transport/listener
    /transport/lookup /transport/memory /transport/sim_ /transport/transport
    /transport/tls/
    /without_)
list(JOIN vow_seldom "|" vow_seldom)

# Calls inside the library go straight to their function, and may be inlined: nobody puts another in between.
set(VOW_SMALL_LINK_OPTIONS -Wl,-Bsymbolic-functions)

# A thousand addresses that the loader adds a base to take 24 bytes each, or, packed, a bit or two; glibc reads these
# since 2.36.
check_linker_flag(C -Wl,-z,pack-relative-relocs VOW_LINKER_PACKS_RELOCATIONS)
check_c_source_compiles("
    #include <features.h>
    #if !__GLIBC_PREREQ(2, 36)
    #error older
    #endif
    int main(void) { return 0; }" VOW_LOADER_UNPACKS_RELOCATIONS)
if(VOW_LINKER_PACKS_RELOCATIONS AND VOW_LOADER_UNPACKS_RELOCATIONS)
    list(APPEND VOW_SMALL_LINK_OPTIONS -Wl,-z,pack-relative-relocs)
endif()

# Of `sources`, those that are named above are compiled for size, and all that was generated is.
function(vow_small target sources generated)
    target_compile_options(${target} PRIVATE -fno-semantic-interposition)
    set(seldom ${sources})
    list(FILTER seldom INCLUDE REGEX "/runtime(${vow_seldom})")
    list(APPEND seldom ${generated})
    set_property(SOURCE ${seldom} APPEND PROPERTY COMPILE_OPTIONS $<$<CONFIG:Release>:-Os>)
endfunction()
