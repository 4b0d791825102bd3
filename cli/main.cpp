#include <cstdio>

int main() {
  std::puts("terse " TERSE_VERSION);
  return 0;
}
