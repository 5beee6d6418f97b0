export * from './index';
export { CONTROL_BYTES, counterBytes, leadController, leadUpdate, serve } from './threads';
