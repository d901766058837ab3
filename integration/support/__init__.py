"""What the integration tests are made of: real git, a real web server, a proxy that breaks things, and tankard itself."""
