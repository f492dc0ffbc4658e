# cmake --install: programs, the client library with its headers, the units, documents.
install(TARGETS popvault RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
install(TARGETS popvaultd popvault-injector popvault-browser popvault-watcher RUNTIME DESTINATION ${CMAKE_INSTALL_LIBEXECDIR}/popvault)
install(TARGETS pv_client pv_rpc pv_os pv_secret pv_base ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(DIRECTORY ${PROJECT_SOURCE_DIR}/include/popvault DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(FILES ${PROJECT_SOURCE_DIR}/README.md ${PROJECT_SOURCE_DIR}/LICENSE ${PROJECT_SOURCE_DIR}/CHANGELOG.md
              ${PROJECT_SOURCE_DIR}/SECURITY.md
        DESTINATION ${CMAKE_INSTALL_DOCDIR})
install(DIRECTORY ${PROJECT_SOURCE_DIR}/docs/ DESTINATION ${CMAKE_INSTALL_DOCDIR} FILES_MATCHING PATTERN "*.md")
install(DIRECTORY ${PROJECT_SOURCE_DIR}/recipes/ DESTINATION ${CMAKE_INSTALL_DATADIR}/popvault/recipes)

configure_file(${PROJECT_SOURCE_DIR}/cmake/popvaultd.service.in ${PROJECT_BINARY_DIR}/popvaultd.service @ONLY)
configure_file(${PROJECT_SOURCE_DIR}/cmake/popvaultd.socket.in ${PROJECT_BINARY_DIR}/popvaultd.socket @ONLY)
configure_file(${PROJECT_SOURCE_DIR}/cmake/popvault-watcher.service.in ${PROJECT_BINARY_DIR}/popvault-watcher.service @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/popvaultd.service ${PROJECT_BINARY_DIR}/popvaultd.socket
              ${PROJECT_BINARY_DIR}/popvault-watcher.service
        DESTINATION lib/systemd/user)

# pkg-config popvault-client: what a C++ program needs to talk to agent.sock.
configure_file(${PROJECT_SOURCE_DIR}/cmake/popvault-client.pc.in ${PROJECT_BINARY_DIR}/popvault-client.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/popvault-client.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
