# What cmake --install puts down. All of it can be moved to another folder afterwards.

include(CMakePackageConfigHelpers)

install(TARGETS vow vow_static EXPORT vowTargets
    LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}
    ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(DIRECTORY include/vow DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} FILES_MATCHING PATTERN "*.h")
foreach(name IN LISTS VOW_PUBLIC_MESSAGES)
    install(FILES ${PROJECT_BINARY_DIR}/messages/vow/${name}.pb-c.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/vow)
endforeach()
install(FILES LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR})

set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/vow)
install(EXPORT vowTargets NAMESPACE vow:: DESTINATION ${package_dir})
configure_package_config_file(cmake/vowConfig.cmake.in ${PROJECT_BINARY_DIR}/vowConfig.cmake
    INSTALL_DESTINATION ${package_dir})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/vowConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/vowConfig.cmake ${PROJECT_BINARY_DIR}/vowConfigVersion.cmake
              cmake/VowGenerate.cmake
    DESTINATION ${package_dir})

# pkg-config finds the prefix from where the file lies.
file(RELATIVE_PATH pc_prefix ${CMAKE_INSTALL_PREFIX}/${CMAKE_INSTALL_LIBDIR}/pkgconfig ${CMAKE_INSTALL_PREFIX})
if(VOW_GRPC)
    string(APPEND VOW_PC_OPTIONAL ", libnghttp2, zlib")
endif()
if(VOW_TLS)
    string(APPEND VOW_PC_OPTIONAL ", openssl")
endif()
configure_file(cmake/vow.pc.in ${PROJECT_BINARY_DIR}/vow.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/vow.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
