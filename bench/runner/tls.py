"""examples/echo with TLS beside others on OpenSSL: plain epoll, nginx, Asio and Node.js."""
import pathlib

from . import measure, processes, workloads

IDLE_CONNECTIONS = 2_000
NGINX = """
daemon off;
master_process off;
pid pid;
error_log stderr crit;
events {
  worker_connections 4096;
  multi_accept on;
}
http {
  access_log off;
  client_body_temp_path body;
  proxy_temp_path proxy;
  fastcgi_temp_path fastcgi;
  uwsgi_temp_path uwsgi;
  scgi_temp_path scgi;
  client_header_timeout 1h;
  server {
    listen 127.0.0.1:{port} ssl backlog=1024;
    ssl_certificate {certificate};
    ssl_certificate_key {key};
    ssl_protocols TLSv1.3;
  }
}
"""


def echo_servers(build):
    """Those that this build has: none if it was built without OpenSSL."""
    baselines = build / "bench" / "baselines"
    at = ("{endpoint}", "{certificate}", "{key}")
    if not (baselines / "epoll_tls").exists():
        return ()
    asio = baselines / "asio_tls"  # only where its headers were found
    node = pathlib.Path(__file__).resolve().parent.parent / "baselines" / "node_tls.js"
    return (
        processes.server("epoll", (str(baselines / "epoll_tls"), *at)),
        *((processes.server("asio", (str(asio), *at)),) if asio.exists() else ()),
        processes.server("node", ("node", str(node), *at)),
        processes.server("sluice", (str(build / "examples" / "echo"), "{endpoint}?cert={certificate}&key={key}")),
    )


def servers(build):
    """The same, and nginx, which does not echo."""
    nginx = processes.server("nginx", ("/usr/sbin/nginx", "-e", "stderr", "-p", "{folder}", "-c", "{config}"), config=NGINX, echoes=False)
    first, *others = echo_servers(build) or (None,)
    return (first, nginx, *others) if first else ()


def echo_works():
    return (
        workloads.workload("tls-50x1k", "the same as tcp-50x1k through TLS", "echo", 50, 1024, scheme="tls"),
        workloads.workload("tls-10x100k", "the same as tcp-10x100k through TLS", "echo", 10, 100 * 1024, scheme="tls"),
    )


def works():
    idle = min(IDLE_CONNECTIONS, workloads.descriptor_limit() - workloads.SPARE_DESCRIPTORS)
    return (
        workloads.workload("tls-handshake", "connections for a full handshake, 8 at a time", "handshake", 8, 1, scheme="tls",
                           unit="handshake"),
        workloads.workload("tls-resume", "the same with the ticket of an earlier connection", "resume", 8, 1, scheme="tls",
                           unit="handshake"),
        workloads.workload("tls-idle", f"{idle:,} connections that are open", "idle", idle, 1024, scheme="tls"),
    )


def timed(bed, which, work, seconds, warm_up):
    found = measure.timed(bed, which, work, seconds, warm_up)
    if found["cpu"] and work.unit == "handshake":
        found["per_cpu"] = 1e6 / found["cpu"]
    return found
