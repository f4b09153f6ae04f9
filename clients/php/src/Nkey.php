<?php

declare(strict_types=1);

namespace Armoricore;

use InvalidArgumentException;

/** The Ed25519 key of a NATS user: its seed begins with `SU`. Requires ext-sodium. */
final class Nkey
{
    private const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';
    private const USER_PREFIX = 20 << 3;

    private function __construct(private readonly string $keyPair)
    {
    }

    public static function fromSeed(string $seed): self
    {
        $bytes = self::decode(trim($seed));
        // Two bytes of prefix, 32 of seed, two of checksum.
        if (strlen($bytes) !== 36 || !str_starts_with(trim($seed), 'SU') || self::checksum(substr($bytes, 0, 34)) !== substr($bytes, 34)) {
            throw new InvalidArgumentException('this is no nkey seed of a NATS user: it must begin with SU, as `nsc generate nkey --user` prints it');
        }
        return new self(sodium_crypto_sign_seed_keypair(substr($bytes, 2, 32)));
    }

    public function publicKey(): string
    {
        $bytes = chr(self::USER_PREFIX) . sodium_crypto_sign_publickey($this->keyPair);
        return self::encode($bytes . self::checksum($bytes));
    }

    /** The signature of the server's nonce, in base64url. */
    public function sign(string $nonce): string
    {
        $signature = sodium_crypto_sign_detached($nonce, sodium_crypto_sign_secretkey($this->keyPair));
        return rtrim(strtr(base64_encode($signature), '+/', '-_'), '=');
    }

    private static function decode(string $text): string
    {
        $bits = '';
        foreach (str_split($text) as $character) {
            $value = strpos(self::ALPHABET, $character);
            if ($value === false) {
                return '';
            }
            $bits .= str_pad(decbin($value), 5, '0', STR_PAD_LEFT);
        }
        return implode('', array_map(static fn (string $byte): string => chr((int) bindec($byte)), str_split(substr($bits, 0, intdiv(strlen($bits), 8) * 8), 8)));
    }

    private static function encode(string $bytes): string
    {
        $bits = implode('', array_map(static fn (string $byte): string => str_pad(decbin(ord($byte)), 8, '0', STR_PAD_LEFT), str_split($bytes)));
        return implode('', array_map(static fn (string $part): string => self::ALPHABET[(int) bindec(str_pad($part, 5, '0'))], str_split($bits, 5)));
    }

    /** CRC-16/XMODEM, little-endian. */
    private static function checksum(string $bytes): string
    {
        $crc = 0;
        foreach (str_split($bytes) as $byte) {
            $crc ^= ord($byte) << 8;
            for ($bit = 0; $bit < 8; $bit++) {
                $crc = ($crc & 0x8000) !== 0 ? ($crc << 1 ^ 0x1021) & 0xffff : $crc << 1 & 0xffff;
            }
        }
        return pack('v', $crc);
    }
}
