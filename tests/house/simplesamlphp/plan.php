<?php

// What the test wants, as tests/house/simplesamlphp.rs wrote it. It is read again for every request, so that a
// test can change its mind while the identity provider runs.
return json_decode(file_get_contents(getenv('BEHALF_SIMPLESAMLPHP_PLAN')), true, 512, JSON_THROW_ON_ERROR);
