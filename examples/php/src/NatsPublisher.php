<?php

declare(strict_types=1);

namespace Armoricore;

use RuntimeException;

/**
 * Publishes to NATS JetStream over a plain socket and waits for the acknowledgement. Use one connection per request: under
 * FPM a persistent connection is often stale. If an acknowledgement is lost, the event is published again with the same
 * id, and the stream stores it once.
 */
final class NatsPublisher
{
    /** @var resource|null */
    private $socket = null;
    private string $inbox = '';

    /** $url: `nats://host:4222`, `nats://user:password@host:4222`, or `tls://…`. */
    public function __construct(
        private readonly string $url,
        private readonly float $timeout = 3.0,
        private readonly int $maxAttempts = 4,
        private readonly ?string $keyId = null,
        private readonly ?string $secret = null,
    ) {
    }

    /** Returns when the bus has stored the event; true if it was a duplicate. Throws if the bus does not store it. */
    public function publish(Event $event): bool
    {
        for ($attempt = 1; ; $attempt++) {
            try {
                return $this->once($event);
            } catch (NatsUnavailable $error) {
                $this->close();
                if ($attempt >= $this->maxAttempts) {
                    throw $error;
                }
                usleep(100_000 * 2 ** $attempt + random_int(0, 100_000));
            }
        }
    }

    private function once(Event $event): bool
    {
        $this->connect();
        $headers = "NATS/1.0\r\nNats-Msg-Id: {$event->id}\r\n";
        if ($this->keyId !== null && $this->secret !== null) {
            $headers .= 'Armoricore-Signature: ' . $event->signature($this->keyId, $this->secret) . "\r\n";
        }
        $headers .= "\r\n";
        $reply = $this->inbox . '.' . bin2hex(random_bytes(6));
        $total = strlen($headers) + strlen($event->body);
        $this->write("HPUB armoricore.{$event->type} $reply " . strlen($headers) . " $total\r\n$headers{$event->body}\r\n");
        while (true) {
            $line = $this->line();
            // JetStream sends two spaces in place of the optional reply subject.
            if (preg_match('/\AMSG +(\S+) +\S+ +(\d+)\z/', $line, $message) === 1) {
                $body = $this->read((int) $message[2] + 2);
                if ($message[1] === $reply) {
                    return $this->acknowledged(rtrim($body));
                }
            } elseif (preg_match('/\AHMSG +(\S+) +\S+ +\d+ +(\d+)\z/', $line, $message) === 1) {
                $status = $this->read((int) $message[2] + 2);
                if ($message[1] === $reply) {
                    // 503: no stream has this subject.
                    throw new NatsUnavailable('NATS has no stream for this event: run `armoricore setup` (' . strtok($status, "\r\n") . ')');
                }
            } else {
                $this->control($line);
            }
        }
    }

    private function acknowledged(string $body): bool
    {
        $ack = json_decode($body, true, 16, JSON_THROW_ON_ERROR);
        if (isset($ack['error'])) {
            throw new NatsUnavailable("NATS did not store the event: {$ack['error']['description']}");
        }
        return ($ack['duplicate'] ?? false) === true;
    }

    private function connect(): void
    {
        if ($this->socket !== null) {
            return;
        }
        $url = parse_url($this->url);
        if ($url === false || !isset($url['host'])) {
            throw new RuntimeException('the address of NATS must have the form nats://host:4222');
        }
        $address = 'tcp://' . $url['host'] . ':' . ($url['port'] ?? 4222);
        $socket = @stream_socket_client($address, $code, $message, $this->timeout);
        if ($socket === false) {
            throw new NatsUnavailable("cannot connect to NATS: $message");
        }
        $this->socket = $socket;
        stream_set_timeout($socket, (int) $this->timeout, (int) (fmod($this->timeout, 1) * 1e6));
        $info = json_decode(substr($this->line(), 5), true, 16, JSON_THROW_ON_ERROR);
        if (($url['scheme'] ?? '') === 'tls' || ($info['tls_required'] ?? false) === true) {
            stream_context_set_option($socket, 'ssl', 'peer_name', $url['host']);
            if (stream_socket_enable_crypto($socket, true, STREAM_CRYPTO_METHOD_TLS_CLIENT) !== true) {
                throw new NatsUnavailable('NATS: the TLS handshake failed');
            }
        }
        $this->inbox = '_INBOX.' . bin2hex(random_bytes(11));
        $options = ['verbose' => false, 'pedantic' => false, 'headers' => true, 'no_responders' => true, 'lang' => 'php', 'version' => '1'];
        if (isset($url['user'])) {
            $options += ['user' => rawurldecode($url['user']), 'pass' => rawurldecode($url['pass'] ?? '')];
        }
        $this->write('CONNECT ' . json_encode($options, JSON_THROW_ON_ERROR) . "\r\nSUB {$this->inbox}.* 1\r\nPING\r\n");
        while (($line = $this->line()) !== 'PONG') {
            $this->control($line);
        }
    }

    private function control(string $line): void
    {
        if ($line === 'PING') {
            $this->write("PONG\r\n");
        } elseif (str_starts_with($line, '-ERR')) {
            throw str_contains($line, 'Authorization') || str_contains($line, 'Permissions')
                ? new RuntimeException("NATS rejected the connection or the subject: $line")
                : new NatsUnavailable("NATS: $line");
        }
    }

    private function line(): string
    {
        $line = fgets($this->socket());
        if ($line === false || !str_ends_with($line, "\n")) {
            throw new NatsUnavailable('NATS did not answer in time');
        }
        return rtrim($line, "\r\n");
    }

    private function read(int $length): string
    {
        $data = '';
        while (strlen($data) < $length) {
            $part = fread($this->socket(), $length - strlen($data));
            if ($part === false || $part === '') {
                throw new NatsUnavailable('NATS did not answer in time');
            }
            $data .= $part;
        }
        return $data;
    }

    private function write(string $data): void
    {
        while ($data !== '') {
            $written = @fwrite($this->socket(), $data);
            if ($written === false || $written === 0) {
                throw new NatsUnavailable('lost the connection to NATS');
            }
            $data = substr($data, $written);
        }
    }

    /** @return resource */
    private function socket()
    {
        return $this->socket ?? throw new NatsUnavailable('not connected');
    }

    public function close(): void
    {
        if ($this->socket !== null) {
            fclose($this->socket);
            $this->socket = null;
        }
    }
}
