// Two units with the same headers make one program: nothing in them is defined twice.
#include <switchboard/endpoint.hpp>

int serve_b();

int main() { return switchboard::serve<switchboard::endpoint>() == 64 && serve_b() == 64 ? 0 : 1; }
