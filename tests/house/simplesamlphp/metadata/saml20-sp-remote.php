<?php

use SimpleSAML\Metadata\SAMLParser;

$plan = require dirname(__DIR__) . '/plan.php';

// An application is known by its metadata, by settings in SimpleSAMLphp's own words, or by both.
foreach ($plan['service_providers'] as $known) {
    $read = [];
    if ($known['metadata'] !== null) {
        $read = SAMLParser::parseString($known['metadata'])->getMetadata20SP();
        if ($read === null) {
            throw new Exception('the metadata describes no SAML 2.0 service provider');
        }
        unset($read['entityDescriptor']);
    }
    $metadata[$known['entity_id'] ?? $read['entityid']] = $known['settings'] + $read;
}
