# SPDX-License-Identifier: BSL-1.0
# An install is relocatable: headers, the wrapper of main and a package file.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

set(package_dir "${CMAKE_INSTALL_DATADIR}/cmake/multiprocessing")
set_target_properties(multiprocessing PROPERTIES EXPORT_NAME multiprocessing)
install(
    TARGETS multiprocessing multiprocessing_main
    EXPORT multiprocessingTargets
    FILE_SET HEADERS
    FILE_SET posix_headers
    FILE_SET win32_headers
)
# A file of its own: who does not ask for the component needs no OpenSSL.
if(TARGET multiprocessing_remote)
    install(TARGETS multiprocessing_remote EXPORT multiprocessingRemoteTargets)
    install(
        EXPORT multiprocessingRemoteTargets
        NAMESPACE multiprocessing::
        DESTINATION "${package_dir}"
    )
endif()
install(FILES "${PROJECT_SOURCE_DIR}/cmake/wrap_main.cpp" DESTINATION share/multiprocessing)
install(
    FILES "${PROJECT_SOURCE_DIR}/cmake/compiled_target.cmake" "${PROJECT_SOURCE_DIR}/cmake/compiled.cpp"
    DESTINATION "${package_dir}"
)
install(EXPORT multiprocessingTargets NAMESPACE multiprocessing:: DESTINATION "${package_dir}")
configure_package_config_file(
    "${CMAKE_CURRENT_LIST_DIR}/multiprocessingConfig.cmake.in"
    "${PROJECT_BINARY_DIR}/multiprocessingConfig.cmake"
    INSTALL_DESTINATION "${package_dir}"
)
write_basic_package_version_file(
    "${PROJECT_BINARY_DIR}/multiprocessingConfigVersion.cmake"
    COMPATIBILITY SameMajorVersion
    ARCH_INDEPENDENT
)
install(
    FILES "${PROJECT_BINARY_DIR}/multiprocessingConfig.cmake"
          "${PROJECT_BINARY_DIR}/multiprocessingConfigVersion.cmake"
    DESTINATION "${package_dir}"
)
