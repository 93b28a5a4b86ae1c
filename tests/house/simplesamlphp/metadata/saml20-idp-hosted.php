<?php

$plan = require dirname(__DIR__) . '/plan.php';

$format = 'urn:oasis:names:tc:SAML:1.1:nameid-format:';
// Whatever format a request asks for can be given.
$authproc = [
    1 => ['class' => 'saml:AttributeNameID', 'attribute' => 'mail', 'Format' => $format . 'emailAddress'],
    2 => ['class' => 'saml:AttributeNameID', 'attribute' => 'uid', 'Format' => $format . 'unspecified'],
    3 => ['class' => 'saml:PersistentNameID', 'attribute' => 'uid'],
    4 => ['class' => 'saml:TransientNameID'],
];
if ($plan['attribute_map'] !== null) {
    $authproc[50] = ['class' => 'core:AttributeMap', $plan['attribute_map']];
}

$metadata[$plan['entity_id']] = $plan['settings'] + [
    'host' => '__DEFAULT__',
    'auth' => 'people',
    'privatekey' => 'signing.key',
    'certificate' => 'signing.crt',
    'authproc' => $authproc,
];
