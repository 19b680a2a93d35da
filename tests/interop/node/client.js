'use strict';
// The client of gRPC's interoperability tests, on the public interface of @grpc/grpc-js, which does not say whether a
// response came compressed: two cases are left out for that.

const assert = require('assert');
const { once } = require('events');
const { grpc, testing, flag, fileOf, payload } = require('./common.js');

const LARGE_REQUEST = 271828;
const LARGE_RESPONSE = 314159;
const REQUEST_SIZES = [27182, 8, 1828, 45904];
const RESPONSE_SIZES = [31415, 9, 2653, 58979];
const GZIP = { 'grpc.default_compression_algorithm': grpc.compressionAlgorithms.gzip };

// Of a message that is not compressed although its call is (gRPC's WriteFlags.NoCompress).
const AS_IT_IS = 2;

const { status } = grpc;

function open(options = {}, Client = testing.TestService) {
    const address = `${flag('server_host')}:${flag('server_port')}`;
    const all = { 'grpc.use_local_subchannel_pool': 1, ...options };

    if (flag('use_tls') !== 'true')
        return new Client(address, grpc.credentials.createInsecure(), all);
    if (flag('server_host_override'))
        all['grpc.ssl_target_name_override'] = flag('server_host_override');
    return new Client(address, grpc.credentials.createSsl(fileOf('ca_file')), all);
}

const client = open();
const compressing = open(GZIP);

function inTime(ms = 30000) {
    return { deadline: Date.now() + ms };
}

// Gives { error, response, initial, trailing }.
function unary(stub, method, request, metadata = new grpc.Metadata()) {
    return new Promise((resolve) => {
        const result = {};
        const call = stub[method](request, metadata, inTime(), (error, response) => {
            Object.assign(result, { error, response });
        });

        call.on('metadata', (initial) => {
            result.initial = initial;
        });
        call.on('status', ({ metadata: trailing }) => {
            result.trailing = trailing;
            setImmediate(resolve, result);
        });
    });
}

function expectBody(response, size) {
    assert.ok(response.payload.body.equals(Buffer.alloc(size)), `a body of ${size} bytes`);
}

function expectOk({ error }) {
    assert.ok(!error, String(error));
}

function expectFailure({ error }, code, message) {
    assert.strictEqual(error?.code, code, String(error));
    if (message !== undefined)
        assert.strictEqual(error.details, message);
}

// The code with which a stream ends; what still comes is read and counted.
function endOf(call) {
    return new Promise((resolve) => {
        let count = 0;

        call.on('data', () => count++);
        call.on('error', () => {});
        call.on('status', (ended) => resolve({ ...ended, count }));
    });
}

const large = (more) => ({ response_size: LARGE_RESPONSE, payload: payload(LARGE_REQUEST), ...more });
const duplex = (size, responseSize) => ({
    payload: payload(size),
    response_parameters: responseSize === undefined ? [] : [{ size: responseSize }],
});

function customMetadata() {
    const metadata = new grpc.Metadata();

    metadata.set('x-grpc-test-echo-initial', 'test_initial_metadata_value');
    metadata.set('x-grpc-test-echo-trailing-bin', Buffer.from([0xab, 0xab, 0xab]));
    return metadata;
}

function expectMetadata(initial, trailing) {
    assert.deepStrictEqual(initial.get('x-grpc-test-echo-initial'), ['test_initial_metadata_value']);
    assert.deepStrictEqual(trailing.get('x-grpc-test-echo-trailing-bin'), [Buffer.from([0xab, 0xab, 0xab])]);
}

async function largeUnary(stub) {
    const result = await unary(stub, 'UnaryCall', large());

    expectOk(result);
    expectBody(result.response, LARGE_RESPONSE);
}

async function unaryStatus(message) {
    expectFailure(await unary(client, 'UnaryCall', { response_status: { code: 2, message } }), status.UNKNOWN, message);
}

// Sends `requests`, as (message, flags) pairs, and gives the answer.
function input(stub, requests) {
    return new Promise((resolve) => {
        const call = stub.StreamingInputCall(new grpc.Metadata(), inTime(), (error, response) =>
            resolve({ error, response })
        );

        // grpc-js takes the flags of a message in the place of its encoding, where Node 18 allows encodings only.
        const send = call._write.bind(call);
        call._write = ([request, writeFlags], _, done) => send(request, writeFlags, done);
        for (const message of requests)
            call.write(message);
        call.end();
    });
}

const cases = {
    empty_unary: async () => expectOk(await unary(client, 'EmptyCall', {})),
    large_unary: () => largeUnary(client),

    async client_compressed_unary() {
        const yes = large({ expect_compressed: { value: true } });
        const no = large({ expect_compressed: { value: false } });

        expectFailure(await unary(client, 'UnaryCall', yes), status.INVALID_ARGUMENT);
        expectOk(await unary(compressing, 'UnaryCall', yes));
        expectOk(await unary(client, 'UnaryCall', no));
    },

    async client_compressed_streaming() {
        const compressed = { payload: payload(27182), expect_compressed: { value: true } };
        const plain = { payload: payload(45904), expect_compressed: { value: false } };

        expectFailure(await input(client, [[compressed]]), status.INVALID_ARGUMENT);
        const result = await input(compressing, [[compressed], [plain, AS_IT_IS]]);
        expectOk(result);
        assert.strictEqual(result.response.aggregated_payload_size, 73086);
    },

    async client_streaming() {
        const result = await input(client, REQUEST_SIZES.map((size) => [{ payload: payload(size) }]));

        expectOk(result);
        assert.strictEqual(result.response.aggregated_payload_size, 74922);
    },

    async server_streaming() {
        const parameters = RESPONSE_SIZES.map((size) => ({ size }));
        const call = client.StreamingOutputCall({ response_parameters: parameters }, inTime());
        const sizes = [...RESPONSE_SIZES];

        for await (const response of call)
            expectBody(response, sizes.shift());
        assert.deepStrictEqual(sizes, []);
    },

    async ping_pong() {
        const call = client.FullDuplexCall(inTime());
        let next = 0;

        call.write(duplex(REQUEST_SIZES[0], RESPONSE_SIZES[0]));
        for await (const response of call) {
            expectBody(response, RESPONSE_SIZES[next++]);
            if (next < REQUEST_SIZES.length)
                call.write(duplex(REQUEST_SIZES[next], RESPONSE_SIZES[next]));
            else
                call.end();
        }
        assert.strictEqual(next, REQUEST_SIZES.length);
    },

    async empty_stream() {
        const call = client.FullDuplexCall(inTime());

        call.end();
        const { code, count } = await endOf(call);
        assert.strictEqual(code, status.OK);
        assert.strictEqual(count, 0);
    },

    async custom_metadata() {
        const result = await unary(client, 'UnaryCall', large(), customMetadata());
        const call = client.FullDuplexCall(customMetadata(), inTime());

        expectOk(result);
        expectMetadata(result.initial, result.trailing);
        call.write(duplex(LARGE_REQUEST, LARGE_RESPONSE));
        call.end();
        const [[initial], ended] = await Promise.all([once(call, 'metadata'), endOf(call)]);
        assert.strictEqual(ended.code, status.OK);
        assert.strictEqual(ended.count, 1);
        expectMetadata(initial, ended.metadata);
    },

    async status_code_and_message() {
        const message = 'test status message';
        const call = client.FullDuplexCall(inTime());

        await unaryStatus(message);
        call.write({ response_status: { code: 2, message } });
        call.end();
        const { code, details } = await endOf(call);
        assert.strictEqual(code, status.UNKNOWN);
        assert.strictEqual(details, message);
    },

    special_status_message: () =>
        unaryStatus('\t\ntest with whitespace\r\nand Unicode BMP ☺ and non-BMP 😈\t\n'),
    unimplemented_method: async () =>
        expectFailure(await unary(client, 'UnimplementedCall', {}), status.UNIMPLEMENTED),

    async unimplemented_service() {
        const stub = open({}, testing.UnimplementedService);

        expectFailure(await unary(stub, 'UnimplementedCall', {}), status.UNIMPLEMENTED);
        stub.close();
    },

    async cancel_after_begin() {
        const error = await new Promise((resolve) => {
            client.StreamingInputCall(new grpc.Metadata(), inTime(), resolve).cancel();
        });

        expectFailure({ error }, status.CANCELLED);
    },

    async cancel_after_first_response() {
        const call = client.FullDuplexCall(inTime());
        const end = endOf(call);

        call.write(duplex(27182, 31415));
        call.once('data', (response) => {
            expectBody(response, 31415);
            call.cancel();
        });
        assert.strictEqual((await end).code, status.CANCELLED);
    },

    async timeout_on_sleeping_server() {
        const call = client.FullDuplexCall(inTime(1));

        call.write(duplex(27182));
        assert.strictEqual((await endOf(call)).code, status.DEADLINE_EXCEEDED);
    },

    async rpc_soak() {
        for (let i = 0; i < 10; i++)
            await largeUnary(client);
    },

    async channel_soak() {
        for (let i = 0; i < 10; i++) {
            const stub = open();

            await largeUnary(stub);
            stub.close();
        }
    },
};

async function main() {
    const wanted = flag('test_case', 'all');
    let passed = 0;
    let failed = 0;

    for (const [name, run] of Object.entries(cases)) {
        if (wanted !== 'all' && wanted !== name)
            continue;
        try {
            await run();
            passed++;
            console.log(`${name}: passed`);
        } catch (error) {
            failed++;
            console.log(`${name}: FAILED: ${error}`);
        }
    }
    console.log(`${passed} cases passed, ${failed} failed`);
    process.exit(failed > 0 || passed === 0 ? 1 : 0);
}

main();
