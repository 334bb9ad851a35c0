#include <switchboard/endpoint.hpp>
#include <switchboard/endpoint.hpp>

int serve_b();
int serve_b() { return switchboard::serve<switchboard::endpoint>(); }
