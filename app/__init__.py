"""The edge: settings, processes, HTTP and sockets. The only package that reads the environment and wires the others."""
