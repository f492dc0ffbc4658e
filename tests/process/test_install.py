"""cmake --install puts every program, the client library with its headers, the units and the documents in place, and
what is installed works."""

import os
import shutil
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from support.home import Home, wait_until

BUILD = os.environ["POPVAULT_BUILD"]

CLIENT = r"""
#include <popvault/agent_client.hpp>
#include <cstdio>
int main(int argc, char** argv) {
  if (argc != 2) return 2;
  popvault::client::ConnectOptions options;
  options.agent_key = argv[1];
  options.client_name = "installed";
  auto vault = popvault::client::AgentClient::connect(options);
  if (!vault) return std::puts(vault.error().reason.c_str()), 1;
  auto page = vault->list();
  if (!page) return std::puts(page.error().reason.c_str()), 1;
  for (const auto& view : page->credentials) std::puts(view.masked.c_str());
  return 0;
}
"""


class Installed(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.prefix = tempfile.mkdtemp(prefix="pv-inst-")
        subprocess.run(["cmake", "--install", BUILD, "--prefix", cls.prefix], check=True, stdout=subprocess.DEVNULL)

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.prefix)

    def find(self, name):
        found = [os.path.join(folder, name) for folder, _, files in os.walk(self.prefix) if name in files]
        self.assertEqual(len(found), 1, "%s: %r" % (name, found))
        return found[0]

    def test_everything_is_there(self):
        for name in ("popvault", "popvaultd", "popvault-injector", "popvault-browser", "popvault-watcher", "popvault-watcher.service",
                     "agent_client.hpp", "messages.hpp", "error.hpp",
                     "libpv_client.a", "popvault-client.pc", "popvaultd.service", "popvaultd.socket", "README.md",
                     "LICENSE", "THREAT_MODEL.md", "PROTOCOL.md", "stripe.json", "stripe.json.sig"):
            self.find(name)
        self.assertEqual(os.path.basename(os.path.dirname(self.find("popvault"))), "bin")

    def test_units_name_what_was_installed(self):
        for name in ("popvaultd", "popvault-watcher"):
            with open(self.find(name + ".service")) as file:
                line = [row for row in file if row.startswith("ExecStart=")][0]
            program = line.split("=", 1)[1].split()[0]
            self.assertTrue(self.find(name).endswith(program[program.index("/libexec/"):]), program)

    def test_it_works_and_the_library_links(self):
        home = Home()
        try:
            env = home.env(DBUS_SYSTEM_BUS_ADDRESS="unix:path=/nonexistent", DBUS_SESSION_BUS_ADDRESS="unix:path=/nonexistent")
            del env["POPVAULT_NO_WATCHER"]

            def run(*words, feed=""):
                done = subprocess.run([self.find("popvault"), *words], input=feed, env=env, text=True,
                                      stdout=subprocess.PIPE, stderr=subprocess.PIPE)
                self.assertEqual(done.returncode, 0, done.stderr)
                return done.stdout

            secret = "a plain passphrase\n"
            run("init", "--passphrase-fd", "0", feed=secret)
            run("unlock", "--passphrase-fd", "0", feed=secret)
            run("add", "card", "--label", "L", "--fields-fd", "0",
                feed="number=4242424242424242\nexp_month=12\nexp_year=2034\n")
            key_file = os.path.join(home.base, "key")
            run("agent", "add", "one", "--key-file", key_file, "--passphrase-fd", "0", feed=secret)
            run("policy", "set", "one", "--merchant", "https://shop.example", "--per-use", "1.00", "--per-day", "1.00",
                "--currency", "USD", "--strength", "dom", "--passphrase-fd", "0", feed=secret)
            self.assertIn("it is in force", run("recipe", "add", "stripe", "--passphrase-fd", "0", feed=secret))
            source = os.path.join(home.base, "client.cpp")
            with open(source, "w") as file:
                file.write(CLIENT)
            flags = subprocess.run(["pkg-config", "--cflags", "--libs", "popvault-client"], check=True, text=True,
                                   stdout=subprocess.PIPE, env={
                                       **os.environ, "PKG_CONFIG_PATH": os.path.dirname(self.find("popvault-client.pc")),
                                       "PKG_CONFIG_SYSROOT_DIR": ""}).stdout.split()
            # The prefix was chosen at installation, after the file was made.
            root = [flag[2:] for flag in flags if flag.startswith("-I")][0]
            flags = [flag.replace(os.path.dirname(root), self.prefix) for flag in flags]
            program = os.path.join(home.base, "client")
            subprocess.run(["g++", "-std=c++20", "-O0", source, "-o", program, *flags], check=True)
            with open(key_file) as file:
                key = file.read().strip()
            done = subprocess.run([program, key], env=env, text=True, stdout=subprocess.PIPE)
            self.assertEqual((done.returncode, done.stdout), (0, "****-****-****-4242\n"))
            refused = subprocess.run([program, "pak_wrong"], env=env, text=True, stdout=subprocess.PIPE)
            self.assertEqual((refused.returncode, refused.stdout), (1, "unauthenticated\n"))
            wait_until(lambda: "watcher: yes" in run("status"), "the watcher that came with the daemon")
            run("stop")
        finally:
            home.remove()


if __name__ == "__main__":
    unittest.main()
