"""What AWS says: error codes and their causes, ARNs, clients. Worker, reader and command line share it."""
