# Whole files and the lock of the cache directory.
tankard_library(files atomic_file.cpp dir_lock.cpp)
target_link_libraries(tankard_files PUBLIC Boost::headers)
