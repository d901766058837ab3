tankard_library(io_async
  async_event.cpp
  async_semaphore.cpp
  subprocess.cpp
  subprocess_spawn.cpp)
target_link_libraries(tankard_io_async PUBLIC tankard_asio)
