# SPDX-License-Identifier: Apache-2.0
"""A man in the middle of a database connection who cuts it at the worst moment."""
import os
import socket
import threading


class CuttingProxy:
    """Listens at 'path' and passes bytes to and from 'server'.  While armed, the first transaction that
    a client sends ends the connection: before the server hears of it ("lost"), or after it was
    committed but before the client hears so ("unheard")."""

    def __init__(self, path, server):
        self.path, self.server = path, server
        self.armed = None
        self.cuts = 0
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(path)
        self.listener.listen(8)
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            server = socket.socket(socket.AF_UNIX)
            try:
                server.connect(self.server)
            except OSError:
                client.close()
                server.close()
                continue
            state = {"deaf": False}
            threading.Thread(target=self._pump, args=(client, server, state, True),
                             daemon=True).start()
            threading.Thread(target=self._pump, args=(server, client, state, False),
                             daemon=True).start()

    def _pump(self, source, target, state, from_client):
        try:
            while True:
                data = source.recv(1 << 16)
                if not data or state["deaf"] and not from_client:
                    break
                if from_client and self.armed and b'"transact"' in data:
                    how, self.armed = self.armed, None
                    self.cuts += 1
                    if how == "unheard":
                        state["deaf"] = True
                        target.sendall(data)
                        continue  # the reply will end it
                    break
                target.sendall(data)
        except OSError:
            pass
        for s in (source, target):
            try:
                s.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def close(self):
        self.listener.close()
        os.unlink(self.path)
