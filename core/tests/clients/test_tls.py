"""What a client sees of the host's TLS: it is who it says it is, and speaks 1.2 and 1.3."""

import socket
import ssl

import pytest
from conftest import secured
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

VERSIONS = ["1.2", "1.3"]


@pytest.mark.parametrize("version", VERSIONS)
async def test_the_version_that_the_client_wants_is_spoken(host, version):
    async with connect(host.url("/echo", version), **secured(version)) as ws:
        assert ws.transport.get_extra_info("ssl_object").version() == f"TLSv{version}"
        await ws.send("here")
        assert await ws.recv() == "here"


@pytest.mark.parametrize("version", VERSIONS)
async def test_a_client_that_trusts_others_does_not_connect(host, version):
    context = secured(version)["ssl"]
    stranger = ssl.create_default_context()
    stranger.minimum_version, stranger.maximum_version = context.minimum_version, context.maximum_version
    with pytest.raises(ssl.SSLCertVerificationError, match="unable to get local issuer certificate"):
        await connect(host.url("/echo", version), ssl=stranger)


@pytest.mark.parametrize("version", VERSIONS)
async def test_the_certificate_is_for_no_other_name(host, version):
    with pytest.raises(ssl.SSLCertVerificationError, match="elsewhere.example"):
        await connect(host.url("/echo", version), server_hostname="elsewhere.example", **secured(version))


@pytest.mark.parametrize("version", VERSIONS)
def test_a_session_is_taken_up_again(host, version):
    context = secured(version)["ssl"]
    session = None
    for is_again in [False, True]:
        plain = socket.create_connection(("localhost", host.secure_port))
        with context.wrap_socket(plain, server_hostname="localhost", session=session) as stream:
            assert stream.session_reused == is_again
            stream.sendall(b"GET /nobody HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            assert stream.recv(12) == b"HTTP/1.1 404"
            session = stream.session  # in 1.3 the ticket comes before the answer


async def test_plain_text_on_the_port_of_tls_gets_no_websocket(host):
    with pytest.raises(InvalidStatus) as refused:
        await connect(f"ws://{host.authority('1.3')}/echo")
    assert refused.value.response.status_code == 400
    assert b"https:// or wss://" in refused.value.response.body
