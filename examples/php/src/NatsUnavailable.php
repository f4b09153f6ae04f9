<?php

declare(strict_types=1);

namespace Armoricore;

use RuntimeException;

/** Worth another try with the same event id: it may be stored already, and is then recognised. */
final class NatsUnavailable extends RuntimeException
{
}
