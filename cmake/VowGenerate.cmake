# Stubs and messages from .proto files, in one line:
#
#     vow_generate(TARGET weather PROTOS weather.proto [IMPORT_DIRS dir...])
#     target_link_libraries(my_program PRIVATE weather)
#
# makes a static library `weather` that brings weather.vow.h, weather.pb-c.h and vow itself along.

find_program(VOW_PROTOC protoc REQUIRED)
find_program(VOW_PROTOC_GEN_C protoc-gen-c REQUIRED)

# The folder below which a .proto stands is an import folder; without one that fits, its own.
function(_vow_split_proto proto import_dirs out_root out_name)
    get_filename_component(path ${proto} ABSOLUTE)
    get_filename_component(root ${path} DIRECTORY)
    foreach(dir IN LISTS import_dirs)
        string(FIND "${path}" "${dir}/" place)
        if(place EQUAL 0)
            set(root ${dir})
            break()
        endif()
    endforeach()
    file(RELATIVE_PATH name ${root} ${path})
    string(REGEX REPLACE "\\.proto$" "" name ${name})
    set(${out_root} ${root} PARENT_SCOPE)
    set(${out_name} ${name} PARENT_SCOPE)
endfunction()

function(vow_generate)
    cmake_parse_arguments(arg "" "TARGET" "PROTOS;IMPORT_DIRS" ${ARGN})
    if(NOT arg_TARGET OR NOT arg_PROTOS OR arg_UNPARSED_ARGUMENTS)
        message(FATAL_ERROR "vow_generate(TARGET name PROTOS file.proto... [IMPORT_DIRS dir...])")
    endif()
    set(folder ${CMAKE_CURRENT_BINARY_DIR}/${arg_TARGET})
    file(MAKE_DIRECTORY ${folder})
    set(import_dirs)
    foreach(dir IN LISTS arg_IMPORT_DIRS)
        get_filename_component(dir ${dir} ABSOLUTE)
        list(APPEND import_dirs ${dir})
    endforeach()
    set(sources)
    foreach(proto IN LISTS arg_PROTOS)
        get_filename_component(path ${proto} ABSOLUTE)
        _vow_split_proto(${path} "${import_dirs}" root name)
        set(imports -I${root})
        foreach(dir IN LISTS import_dirs)
            list(APPEND imports -I${dir})
        endforeach()
        add_custom_command(
            OUTPUT ${folder}/${name}.pb-c.c ${folder}/${name}.pb-c.h ${folder}/${name}.vow.c ${folder}/${name}.vow.h
            COMMAND ${VOW_PROTOC} --plugin=protoc-gen-vow=$<TARGET_FILE:vow::protoc-gen-vow> ${imports}
                    --vow_out=messages=${VOW_PROTOC_GEN_C}:${folder} ${name}.proto
            DEPENDS ${path} vow::protoc-gen-vow
            COMMENT "Generating ${name}.vow.h"
            VERBATIM)
        list(APPEND sources ${folder}/${name}.pb-c.c ${folder}/${name}.vow.c)
    endforeach()
    add_library(${arg_TARGET} STATIC ${sources})
    set_target_properties(${arg_TARGET} PROPERTIES POSITION_INDEPENDENT_CODE ON)
    target_include_directories(${arg_TARGET} PUBLIC ${folder})
    if(VOW_GENERATE_LINK)
        target_link_libraries(${arg_TARGET} PUBLIC ${VOW_GENERATE_LINK})
    else()
        target_link_libraries(${arg_TARGET} PUBLIC vow::vow)
    endif()
endfunction()

# Messages alone, as protoc-c makes them: for vow's own, which are part of the library.
function(vow_messages)
    cmake_parse_arguments(arg "" "OUTPUT;IMPORT_DIR" "PROTOS" ${ARGN})
    set(folder ${CMAKE_CURRENT_BINARY_DIR}/messages)
    file(MAKE_DIRECTORY ${folder})
    set(sources)
    foreach(proto IN LISTS arg_PROTOS)
        _vow_split_proto(${proto} "${arg_IMPORT_DIR}" root name)
        add_custom_command(
            OUTPUT ${folder}/${name}.pb-c.c ${folder}/${name}.pb-c.h
            COMMAND ${VOW_PROTOC} --plugin=protoc-gen-c=${VOW_PROTOC_GEN_C} -I${root} --c_out=${folder} ${name}.proto
            DEPENDS ${proto}
            VERBATIM)
        set_source_files_properties(${folder}/${name}.pb-c.c PROPERTIES COMPILE_OPTIONS -w)
        list(APPEND sources ${folder}/${name}.pb-c.c)
    endforeach()
    set(${arg_OUTPUT} ${sources} PARENT_SCOPE)
endfunction()

# Messages and stubs of services that are part of the library.
function(vow_stubs)
    cmake_parse_arguments(arg "" "OUTPUT;IMPORT_DIR" "PROTOS" ${ARGN})
    set(folder ${CMAKE_CURRENT_BINARY_DIR}/messages)
    file(MAKE_DIRECTORY ${folder})
    set(sources)
    foreach(proto IN LISTS arg_PROTOS)
        _vow_split_proto(${proto} "${arg_IMPORT_DIR}" root name)
        add_custom_command(
            OUTPUT ${folder}/${name}.pb-c.c ${folder}/${name}.pb-c.h ${folder}/${name}.vow.c ${folder}/${name}.vow.h
            COMMAND ${VOW_PROTOC} --plugin=protoc-gen-vow=$<TARGET_FILE:vow::protoc-gen-vow> -I${root}
                    --vow_out=messages=${VOW_PROTOC_GEN_C}:${folder} ${name}.proto
            DEPENDS ${proto} vow::protoc-gen-vow
            VERBATIM)
        set_source_files_properties(${folder}/${name}.pb-c.c PROPERTIES COMPILE_OPTIONS -w)
        list(APPEND sources ${folder}/${name}.pb-c.c ${folder}/${name}.vow.c)
    endforeach()
    set(${arg_OUTPUT} ${sources} PARENT_SCOPE)
endfunction()
