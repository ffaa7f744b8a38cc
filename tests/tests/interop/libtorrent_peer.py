"""One BitTorrent client made of libtorrent, which speaks uTP alone, on loopback.

    libtorrent_peer.py make FILE TORRENT                makes TORRENT of FILE, and prints its info hash
    libtorrent_peer.py run TORRENT FOLDER seed|leech    has the file in FOLDER, or wants it there

`run` prints `listening PORT` when it takes connections for the torrent. It takes `dial PORT` on its standard input, and ends
when that does. What wants the file prints `done` when it has all of it, each piece checked by its hash.
"""

import os
import select
import sys

import libtorrent as lt


def make(file, torrent):
    storage = lt.file_storage()
    lt.add_files(storage, file)
    made = lt.create_torrent(storage, 256 * 1024, lt.create_torrent.v1_only)
    lt.set_piece_hashes(made, file.rpartition("/")[0])
    with open(torrent, "wb") as out:
        out.write(lt.bencode(made.generate()))
    print(lt.torrent_info(torrent).info_hash(), flush=True)


def settings():
    no_encryption = 2  # pe_disabled
    return {
        "listen_interfaces": "127.0.0.1:0",
        "enable_outgoing_tcp": False,
        "enable_incoming_tcp": False,
        "enable_outgoing_utp": True,
        "enable_incoming_utp": True,
        "enable_dht": False,
        "enable_lsd": False,
        "enable_upnp": False,
        "enable_natpmp": False,
        "out_enc_policy": no_encryption,
        "in_enc_policy": no_encryption,
        "allow_multiple_connections_per_ip": True,
        # By default libtorrent gives a connection up, without a word, when a packet was lost three times: of 70,000 packets that
        # is one where two of a hundred are lost.
        "utp_num_resends": 10,
        "utp_fin_resends": 10,
        "utp_syn_resends": 10,
        # It does not see that what it sent again was lost again, and stands still until this time has passed: some twenty
        # times in such a transfer. The default is 500 ms.
        "utp_min_timeout": 100,
        "alert_mask": lt.alert.category_t.status_notification
        | lt.alert.category_t.error_notification,
    }


def run(torrent, folder, role):
    session = lt.session(settings())
    # libtorrent writes there when it has something to tell. Two threads with one session, and it crashes now and then.
    told, tell = os.pipe()
    session.set_alert_fd(tell)
    params = lt.add_torrent_params()
    params.ti = lt.torrent_info(torrent)
    params.save_path = folder
    params.flags = lt.torrent_flags.seed_mode if role == "seed" else lt.torrent_flags.default_flags
    params.flags &= ~(lt.torrent_flags.auto_managed | lt.torrent_flags.paused)
    handle = session.add_torrent(params)
    known = {}
    while True:
        ready, _, _ = select.select([sys.stdin, told], [], [], 1)
        if told in ready:
            os.read(told, 4096)
        for alert in session.pop_alerts():
            pass_on(alert, known)
        if sys.stdin in ready:
            line = sys.stdin.readline()
            if not line:
                return
            handle.connect_peer(("127.0.0.1", int(line.split()[1])))


def pass_on(alert, known):
    """Says what is to be said of an alert; `known` is the port, and whether the torrent takes connections."""
    if isinstance(alert, lt.listen_succeeded_alert):
        if alert.socket_type == lt.socket_type_t.utp:
            known["port"] = alert.port
    elif isinstance(alert, lt.torrent_checked_alert):
        known["ready"] = True
    elif isinstance(alert, lt.torrent_finished_alert):
        print("done", flush=True)
    elif "error" in alert.what():
        print(alert.message(), file=sys.stderr, flush=True)
    if len(known) == 2:
        print("listening", known["port"], flush=True)
        known["told"] = True


if __name__ == "__main__":
    {"make": make, "run": run}[sys.argv[1]](*sys.argv[2:])
