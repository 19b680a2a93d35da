# What a build can be, and what our own code is held to.

option(VOW_BUILD_EXAMPLES "Build the examples" ${PROJECT_IS_TOP_LEVEL})
option(VOW_BUILD_INTEROP "Build gRPC's interoperability programs" ${PROJECT_IS_TOP_LEVEL})
option(VOW_BUILD_BENCH "Build the benchmark" ${PROJECT_IS_TOP_LEVEL})
option(VOW_BENCH_PEERS "Build the benchmark's programs on other libraries, which ./dev bench installs" OFF)
option(VOW_BUILD_LOAD "Build vow-load, the load generator" ${PROJECT_IS_TOP_LEVEL})
option(VOW_BUILD_TESTS "Build the tests" ${PROJECT_IS_TOP_LEVEL})
option(VOW_GRPC "Speak gRPC, with libnghttp2" ON)
option(VOW_TLS "Have TLS, with OpenSSL" ON)
option(VOW_WERROR "Treat warnings in vow's own code as errors" OFF)
set(VOW_SANITIZE "" CACHE STRING "Sanitizers to build with: address,undefined or thread")

if(NOT CMAKE_BUILD_TYPE)
    set(CMAKE_BUILD_TYPE Release)
endif()
set(CMAKE_C_STANDARD 11)
set(CMAKE_C_EXTENSIONS ON)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/bin)

if(VOW_SANITIZE)
    add_compile_options(-fsanitize=${VOW_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
    add_link_options(-fsanitize=${VOW_SANITIZE})
endif()

# Code that we wrote, as against what protoc-c made.
function(vow_own_code target)
    target_compile_definitions(${target} PRIVATE _GNU_SOURCE $<$<CONFIG:Debug>:VOW_DEBUG=1>)
    target_compile_options(${target} PRIVATE -Wall -Wextra -Wconversion
        $<$<COMPILE_LANGUAGE:C>:-Wstrict-prototypes>
        $<$<C_COMPILER_ID:GNU>:-Wshadow=local>)
    if(VOW_WERROR)
        target_compile_options(${target} PRIVATE -Werror)
    endif()
endfunction()
